"""Keys as programs have them."""

from access.models import ApiKey
from access.services import create_key
from crm_project.actor import Actor


def make_key(scope="read", *sources, name=None, **fields):
    """A new key and its text."""
    key = ApiKey(name=name or f"{scope} {ApiKey.objects.count()}", scope=scope, **fields)
    return key, create_key(key, sources=sources, actor=Actor("user", "boss"))


def bearer(text):
    """What a client of the tests sends with every request."""
    return {"HTTP_AUTHORIZATION": f"Bearer {text}"}
