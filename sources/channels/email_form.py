"""A form of a site builder that is sent on as it was filled in.

As Tilda does: https://help-ru.tilda.cc/forms/webhook; and Roistat, which asks by GET:
https://help.roistat.com/integrations/CRM_i_CMS/Webhook_dlja_otpravki_zajavok/
"""

import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

from sources.channels.forms import Form, read_form
from sources.channels.people import person_id
from sources.channels.protocol import Answer, Config, Incoming, Protocol, Refused, Request, Secret
from sources.channels.reading import (
    LONGEST_EMAIL,
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_PHONE,
    demand_method,
    demand_secret,
    line,
    text,
)

# What the fields are called where nothing is set, in small letters; the first that is filled in
# counts.
KNOWN = {
    "name": ("name", "имя", "ваше имя", "фио", "fio", "fullname", "full_name", "your-name"),
    "phone": (
        "phone", "телефон", "номер телефона", "ваш телефон", "тел", "tel", "your-phone",
    ),
    "email": (
        "email", "e-mail", "почта", "электронная почта", "ваша почта", "your-email",
    ),
    "message": (
        "message", "сообщение", "ваше сообщение", "text", "textarea", "comment", "comments",
        "комментарий", "вопрос", "your-message",
    ),
    "event_id": ("tranid",),
}  # fmt: skip
# What only programs want to know.
TECHNICAL = {
    "cookies", "created_date", "formid", "formname", "g-recaptcha-response", "roistat", "test",
    "token", "tranid", "visit",
}  # fmt: skip
TECHNICAL_PREFIXES = ("_", "form-spec-", "tildaspec-", "utm_")


def answer(request: Request, config: Config) -> Answer:
    demand_method(request, "GET", "POST")
    form = read_form(request)
    demand_secret(config.secrets.get("token"), _token(request, form), name="token")
    form.take("token")
    if form.is_test:
        return _ok(ignored="a test of the address")
    taken = _taken(form, config.options.get("fields"))
    message = text("\n".join(filter(None, [taken["message"], *_others(form)])))
    name, phone, email = (
        line(taken[key], longest)
        for key, longest in (
            ("name", LONGEST_NAME),
            ("phone", LONGEST_PHONE),
            ("email", LONGEST_EMAIL),
        )
    )
    if not (message or name or phone or email):
        raise Refused(400, "the form has nothing filled in")
    event_id = line(taken["event_id"], LONGEST_ID) or None
    person = person_id(phone=phone, email=email, event_id=event_id, region=config.region)
    return _ok(Incoming(event_id, person, message, name, phone, email))


def _ok(*incoming: Incoming, ignored: str = "") -> Answer:
    return Answer(body="ok", content_type="text/plain", incoming=incoming, ignored=ignored)


def _token(request: Request, form: Form) -> str:
    """The first that is given: each builder can send it in some way only."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return (
        request.query.get("token", "")
        or request.headers.get("x-webhook-token", "")
        or (bearer.strip() if scheme.lower() == "bearer" else "")
        or form.get("token")
    )


def _taken(form: Form, fields: object) -> dict[str, str]:
    """Ours by name, each empty where the form has none."""
    chosen = fields if isinstance(fields, Mapping) else {}
    known = dict(KNOWN)
    # Roistat's: an `id` alone may be of the form, the same for all who fill it in.
    if form.get("visit"):
        known["event_id"] += ("id",)
    return {
        ours: form.take(str(chosen[ours])) if chosen.get(ours) else form.take(*names)
        for ours, names in known.items()
    }


def _others(form: Form) -> list[str]:
    """What is left, so that nothing that was filled in is lost."""
    return [
        f"{label}: {value}"
        for folded, (label, value) in form.left.items()
        if folded not in TECHNICAL and not folded.startswith(TECHNICAL_PREFIXES)
    ]


def sample(config: Config) -> Request:
    """https://help-ru.tilda.cc/forms/webhook"""
    form = {
        "Name": "Test",
        "Email": "test@example.com",
        "Textarea": "Test",
        "tranid": f"1:{secrets.randbelow(10**12)}",
        "formid": "form1",
    }
    return Request(
        method="POST",
        headers={
            "content-type": "application/x-www-form-urlencoded",
            "x-webhook-token": config.secrets.get("token", ""),
        },
        query={},
        body=urlencode(form).encode(),
    )


PROTOCOL = Protocol(secrets=(Secret("token"),), options=("fields",), answer=answer, sample=sample)
