"""Errors as a database raises them, for tests without one that does."""

import psycopg
from django.db import OperationalError


def lock_timeout() -> OperationalError:
    error = OperationalError("canceling statement due to lock timeout")
    error.__cause__ = psycopg.errors.LockNotAvailable("canceling statement due to lock timeout")
    return error
