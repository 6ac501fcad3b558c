"""What the channels share in reading what they are sent: it may be anything, sent by anybody."""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sources.channels.protocol import Refused, Request

LONGEST_NAME, LONGEST_PHONE, LONGEST_EMAIL = 255, 64, 254
LONGEST_MESSAGE, LONGEST_ID = 10_000, 255
# The first moment that no clock of a channel shows: 2100.
END_OF_TIME = 4_102_444_800


def demand_method(request: Request, *methods: str) -> None:
    """Raises Refused where the channel never asks in this way."""
    if request.method not in methods:
        raise Refused(405, f"the method {request.method[:10]} is not the channel's")


def demand_secret(ours: str | None, theirs: str, *, name: str) -> None:
    """Compare in constant time. Raises Refused: 401 where they sent nothing, else 403.

    Where no secret is set for the source nothing is let in.
    """
    if not ours:
        raise Refused(403, f"{name} is not set for the source")
    if not theirs:
        raise Refused(401, f"{name} is missing")
    if not same(ours, theirs):
        raise Refused(403, f"{name} is wrong")


def same(ours: str, theirs: str) -> bool:
    """In constant time; any characters will do."""
    return hmac.compare_digest(octets(ours), octets(theirs))


def octets(text: str) -> bytes:
    """Of any characters at all."""
    return text.encode("utf-8", "surrogatepass")


def json_object(body: bytes) -> dict[str, Any]:
    """Raises Refused where it is none, or one that is nested too deep."""
    try:
        value = json.loads(body.decode())
    # A number of thousands of digits is a ValueError too.
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"no JSON: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise Refused(400, f"a JSON {type(value).__name__} in place of an object")
    return value


def part(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object at `key`; an empty one where there is none."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def parts(value: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in the list at `key`; none where there is no list."""
    found = value.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(value: object, longest: int = LONGEST_MESSAGE) -> str:
    """What can be kept of it: no NUL, no lone surrogate, not longer; empty where it is no text."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode("utf-8", "ignore").decode()[:longest]


def line(value: object, longest: int) -> str:
    """The same of what stands on one line: a name, a number, an address."""
    return " ".join(text(value, len(value) if isinstance(value, str) else 0).split())[:longest]


def number(value: object) -> int | None:
    """An id or a time: a whole number above 0 that fits in 63 bits, also one in digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < 2**63 else None


def moment(value: object) -> datetime | None:
    """Of seconds since 1970; None where it is none that a clock shows."""
    seconds = number(value)
    if seconds is None or seconds >= END_OF_TIME:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def placeholder(kind: str, *details: object) -> str:
    """What stands for something that is no text, such as `[документ: смета.pdf]`."""
    texts = (str(each) if isinstance(each, int | float) else each for each in details)
    told = ", ".join(found for each in texts if (found := line(each, LONGEST_NAME)))
    return f"[{kind}: {told}]" if told else f"[{kind}]"
