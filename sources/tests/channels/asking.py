"""What the channels would send, signed without any code of the service."""

import hashlib
import json
from typing import Any
from urllib.parse import urlencode

from sources.channels.protocol import Answer, Config, Refused, Request
from sources.channels.registry import PROTOCOLS

SECRETS = {
    "telegram": {"secret_token": "telegram-Secret_1"},
    "vk": {"secret": "vkSecret1"},
    "whatsapp": {"verify_token": "verify-me", "app_secret": "0123456789abcdef"},
    "email_form": {"token": "form-token"},
}


def config(kind: str, **options: Any) -> Config:
    return Config(secrets=SECRETS.get(kind, {}), options=options)


def hmac_sha256(key: bytes, message: bytes) -> str:
    """As RFC 2104 has it: H(K xor opad, H(K xor ipad, text))."""
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in key) + message).digest()
    return hashlib.sha256(bytes(octet ^ 0x5C for octet in key) + inner).hexdigest()


def telegram(body: object, *, secret: str | None = SECRETS["telegram"]["secret_token"]) -> Request:
    headers = {} if secret is None else {"x-telegram-bot-api-secret-token": secret}
    return _post(body, headers)


def vk(event: dict[str, Any], *, secret: str | None = SECRETS["vk"]["secret"]) -> Request:
    return _post(event if secret is None else {**event, "secret": secret}, {})


def whatsapp(body: object, *, secret: str = SECRETS["whatsapp"]["app_secret"]) -> Request:
    request = _post(body, {})
    signature = "sha256=" + hmac_sha256(secret.encode(), request.body)
    return Request("POST", {**request.headers, "x-hub-signature-256": signature}, {}, request.body)


def form(fields: object, *, token: str | None = SECRETS["email_form"]["token"]) -> Request:
    """As Tilda sends it, with the token in the address."""
    return Request(
        method="POST",
        headers={"content-type": "application/x-www-form-urlencoded"},
        query={} if token is None else {"token": token},
        body=urlencode(fields).encode(),  # type: ignore[arg-type]
    )


def _post(body: object, headers: dict[str, str]) -> Request:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", {"content-type": "application/json", **headers}, {}, octets)


def heard(kind: str, request: Request, **options: Any) -> Answer:
    return PROTOCOLS[kind].answer(request, config(kind, **options))


def refusal(kind: str, request: Request, **options: Any) -> int | None:
    """The status; None: it was not refused."""
    try:
        heard(kind, request, **options)
    except Refused as refused:
        return refused.status
    return None
