"""Signatures of https://www.standardwebhooks.com, and the secrets they are made with."""

import base64
import binascii
import hashlib
import hmac
import secrets

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def is_secret(text: str) -> bool:
    """Is it `whsec_` and 24 to 64 bytes in base64?"""
    try:
        return LEAST_BYTES <= len(_key(text)) <= MOST_BYTES
    except (ValueError, binascii.Error):
        return False


def signed_headers(secret: str, *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers by which a receiver knows that the body is from who has the secret.

    `timestamp` is in seconds since 1970.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        raise ValueError
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
