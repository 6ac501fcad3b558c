"""Who asked for something; kept with every decision."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """`type` is `user`, `api_key`, `anonymous`, `channel`, `command` or `system`; `name` tells
    which, if it can.
    """

    type: str
    name: str = ""


SYSTEM = Actor("system")
