"""A function of the database with something taken out of it, for controls of tests. Never part of
the service.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

GIVE = "contacts_give_directly"
UNLOCKED = (" FOR NO KEY UPDATE", "")
WRITES = "INSERT INTO contacts_contact"
# Between the look at whoever is chosen and what is written it waits for who has this lock.
HELD = (WRITES, f"PERFORM pg_advisory_xact_lock_shared(1); {WRITES}")


def slow(seconds: float) -> tuple[str, str]:
    """Time passes between the look at whoever is chosen and what is written."""
    return WRITES, f"PERFORM pg_sleep({seconds}); {WRITES}"


def changed(definition: str, *changes: tuple[str, str]) -> str:
    for before, after in changes:
        assert before in definition
        definition = definition.replace(before, after)
    return definition


@contextmanager
def redefined(*changes: tuple[str, str]) -> Iterator[None]:
    """The function of the direct way with these changes, each of a part by another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [GIVE])
        ((definition,),) = cursor.fetchall()
        cursor.execute(changed(definition, *changes))
        try:
            yield
        finally:
            cursor.execute(definition)
