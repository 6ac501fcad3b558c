"""Secrets of others that we have to know again, kept so that a copy of the database tells none.

By Fernet (AES-128-CBC with an HMAC-SHA256) of the package cryptography; the key is derived from
SECRET_KEY by HKDF (RFC 5869), so that there is no further one to keep. What was kept under an
earlier key can be read for as long as that stands in SECRET_KEY_FALLBACKS.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

# Of a secret shown to people, so many characters at its end.
SHOWN = 4


class UnreadableError(Exception):
    """It was kept under another SECRET_KEY, or it is none of ours."""


def encrypt(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def decrypt(kept: str) -> str:
    """Raises UnreadableError."""
    try:
        return _fernet().decrypt(kept).decode()
    except InvalidToken as error:
        raise UnreadableError from error


def masked(secret: str) -> str:
    """For people to tell it from others; of a short one nothing is shown. Empty: there is none."""
    if not secret:
        return ""
    return "••••" + (secret[-SHOWN:] if len(secret) >= 4 * SHOWN else "")


def _fernet() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"mini-crm secrets at rest")
    return base64.urlsafe_b64encode(hkdf.derive(key.encode()))
