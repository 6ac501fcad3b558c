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
from django.db import transaction
from django.db.models import Model

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


def encrypted_anew(model: type[Model], field: str) -> int:
    """Keep what is in this field of all rows under the present key; how many there are.

    Raises UnreadableError, having changed nothing.
    """
    fernet = _fernet()
    with transaction.atomic():
        rows = list(model._default_manager.select_for_update().exclude(**{field: ""}))
        for row in rows:
            try:
                setattr(row, field, fernet.rotate(getattr(row, field)).decode())
            except InvalidToken as error:
                raise UnreadableError(str(row)) from error
            row.save(update_fields=[field])
    return len(rows)


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
