"""What all channels have in common: what they are given, and what they make of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What was sent to the address of a source. Names of headers are in small letters; of a
    parameter of the query that is given twice the last one counts.
    """

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""

    @property
    def content_type(self) -> str:
        """Without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Config:
    """What is set for the source: `secrets` by their names, and `options`, which are none.

    `region` is the country, in two letters, of telephone numbers without a country code.
    """

    secrets: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    region: str = "RU"


@dataclass(frozen=True, slots=True)
class Incoming:
    """Somebody wrote. `external_id` names the person over all sources, such as `telegram:42`.

    `event_id` is the channel's name for the event, the same when it is sent again; None: it has
    none. `sent_at` None: the channel does not say when.
    """

    event_id: str | None
    external_id: str
    message: str = ""
    name: str = ""
    phone: str = ""
    email: str = ""
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the channel wants to hear once all that came `incoming` is kept.

    `further_body` takes the place of `body` where no new contact was made; None: it is the same.
    `ignored` says why nothing came of it, for the log; empty: something did.
    """

    body: str = ""
    further_body: str | None = None
    content_type: str = "application/json"
    incoming: tuple[Incoming, ...] = ()
    ignored: str = ""


class Refused(Exception):  # noqa: N818  # an outcome, not a fault of ours
    """The request is not what the channel would send: `status` is what it is answered.

    `reason` is for the log, and holds nothing of the request that is secret or personal.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Invalid(Refused):
    """Whoever filled in a form can mend it: `fields` has a code for the name of each wrong one."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        told = ", ".join(f"{name} ({code})" for name, code in fields.items())
        super().__init__(400, f"filled in wrongly: {told}")
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Secret:
    """One that both sides know. `generated`: we make it and it is pasted there; else it is given
    there and pasted here.
    """

    name: str
    generated: bool = True


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a kind of source speaks, and what has to be set for it.

    `answer` raises Refused. `sample` is an event as the channel documents it, signed as the config
    says, of a person who is nobody; those of two calls have different ids.
    """

    secrets: tuple[Secret, ...]
    # Names of what else can be set; none of it must be.
    options: tuple[str, ...]
    answer: Callable[[Request, Config], Answer]
    sample: Callable[[Config], Request]
    # The origin of a site whose page sends it and may read what is answered; empty: none may.
    readable_by: Callable[[Request, Mapping[str, Any]], str] = lambda request, options: ""
