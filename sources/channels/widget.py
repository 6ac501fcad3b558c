"""The form of our own script, `widget.js`, on the pages of shops.

Browsers say from which site they send, and pages cannot make them say another one. A program can:
against those there are a field that people do not see, the time that people need, and a limit.
"""

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from sources.channels.people import person_id
from sources.channels.protocol import Answer, Config, Incoming, Invalid, Protocol, Refused, Request
from sources.channels.reading import (
    LONGEST_EMAIL,
    LONGEST_MESSAGE,
    LONGEST_NAME,
    LONGEST_PHONE,
    demand_method,
    json_object,
    line,
    text,
)

LONGEST = {"name": LONGEST_NAME, "phone": LONGEST_PHONE, "email": LONGEST_EMAIL}
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
# The script waits for it, so that nobody who is quick is taken for a program.
LEAST_SECONDS = 1
# A field that people do not see.
TRAP = "website"
ACCEPTED = json.dumps({"status": "accepted"})


def readable_by(request: Request, options: Mapping[str, Any]) -> str:
    """The origin of the page that sends; empty where none is told or it is not allowed.

    Pages of our own host are always allowed.
    """
    told = request.headers.get
    origin = told("origin", "")
    own = (
        told("sec-fetch-site") == "same-origin"
        # Which browsers leave out on the way to a host without TLS.
        or origin in (f"http://{told('host')}", f"https://{told('host')}")
    )
    return origin if own or origin in _allowed(options) else ""


def _allowed(options: Mapping[str, Any]) -> list[str]:
    found = options.get("allowed_origins")
    return found if isinstance(found, list) else []


def answer(request: Request, config: Config) -> Answer:
    demand_method(request, "POST")
    if not readable_by(request, config.options):
        raise Refused(403, "the origin is not allowed")
    # Any other could be sent by a page that has not asked.
    if request.content_type != "application/json":
        raise Refused(415, "no JSON")
    given = json_object(request.body)
    if given.get(TRAP):
        return Answer(ACCEPTED, ignored="the hidden field is filled in")
    seconds = given.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise Refused(400, "no seconds")
    if not seconds >= LEAST_SECONDS:
        return Answer(ACCEPTED, ignored="filled in too fast")
    return Answer(ACCEPTED, incoming=(_incoming(given, config),))


def _incoming(given: Mapping[str, Any], config: Config) -> Incoming:
    """Raises Invalid, which names the fields that are wrong."""
    event_id = _event_id(given)
    # One more than there may be, to tell whether there are more.
    name, phone, email = (line(given.get(each), most + 1) for each, most in LONGEST.items())
    message = text(given.get("message"), LONGEST_MESSAGE + 1)
    person = person_id(phone=phone, email=email, event_id=event_id, region=config.region)
    wrong = {}
    if not (phone or email):
        wrong["phone"] = "required"
    if phone and not person.startswith("phone:"):
        wrong["phone"] = "invalid"
    if email and not EMAIL.fullmatch(email):
        wrong["email"] = "invalid"
    if config.options.get("privacy_url") and given.get("consent") is not True:
        wrong["consent"] = "required"
    values = {"name": name, "phone": phone, "email": email, "message": message}
    most = LONGEST | {"message": LONGEST_MESSAGE}
    wrong |= {each: "max_length" for each, value in values.items() if len(value) > most[each]}
    if wrong:
        raise Invalid(wrong)
    return Incoming(event_id, person, message=message, name=name, phone=phone, email=email)


def _event_id(given: Mapping[str, Any]) -> str:
    try:
        return str(uuid.UUID(given.get("event_id")))
    except (AttributeError, TypeError, ValueError):
        raise Refused(400, "no event_id") from None


def sample(config: Config) -> Request:
    """As the script sends it from an allowed page, or from one of our own where none is set."""
    allowed = _allowed(config.options)
    body = {
        "event_id": str(uuid.uuid4()),
        "seconds": 5,
        "name": "Проверка канала",
        "phone": "",
        "email": "nobody@example.com",
        "message": "Проверка канала",
        TRAP: "",
        "consent": True,
    }
    origin = {"origin": allowed[0]} if allowed else {"sec-fetch-site": "same-origin"}
    return Request(
        method="POST",
        headers={"origin": "http://localhost", "content-type": "application/json"} | origin,
        query={},
        body=json.dumps(body).encode(),
    )


PROTOCOL = Protocol(
    secrets=(),
    options=("allowed_origins", "privacy_url", "title"),
    answer=answer,
    sample=sample,
    readable_by=readable_by,
)
