"""What is set for the channel of a source: its secrets and its options, checked and kept.

Written by `sources.services` alone, under the lock of the source.
"""

import secrets as random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from crm_project.encryption import UnreadableError, masked
from sources.channel_values import clean_option, clean_secret
from sources.channels.protocol import Protocol
from sources.channels.registry import PROTOCOLS
from sources.models import Channel, Source

# Without these nothing can arrive, though the protocol could do without.
NEEDED = {Source.Kind.VK: ("confirmation",), Source.Kind.WIDGET: ("allowed_origins",)}


class Given(TypedDict, total=False):
    """What somebody sets; what is not named stays. A secret that is None is made anew, or taken
    away where it is the other side that gives it; an option that is None is taken away.
    """

    secrets: Mapping[str, str | None]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """How far the channel is set up. `secrets` are masked, "" where there is none; `missing` are
    names of secrets and options; not readable: they were kept under another SECRET_KEY.
    """

    secrets: dict[str, str]
    options: dict[str, Any]
    missing: list[str]
    is_readable: bool


def state_of(source: Source) -> State | None:
    """None: the source has no channel but the API."""
    protocol = PROTOCOLS.get(source.kind)
    if protocol is None:
        return None
    channel = channel_of(source) or Channel()
    try:
        known, is_readable = channel.secrets, True
    except UnreadableError:
        known, is_readable = {}, False
    names = [each.name for each in protocol.secrets]
    needed = NEEDED.get(Source.Kind(source.kind), ())
    return State(
        secrets={name: masked(known.get(name, "")) for name in names},
        options={name: channel.options.get(name) for name in protocol.options},
        missing=[name for name in names if not known.get(name)]
        + [name for name in needed if not channel.options.get(name)],
        is_readable=is_readable,
    )


def channel_of(source: Source) -> Channel | None:
    """The row, from memory where it was read with the source; None: nothing was ever set."""
    try:
        return source.channel
    except Channel.DoesNotExist:
        return None


def checked(kind: str, given: Given) -> Given:
    """The same as it is to be kept. Raises a ValidationError that names what is wrong, as in
    `{"channel": {"options": {"allowed_origins": [...]}}}`.
    """
    protocol = PROTOCOLS.get(kind)
    names = [each.name for each in protocol.secrets] if protocol else []
    options = protocol.options if protocol else ()
    clean = {
        "secrets": _each(given.get("secrets") or {}, names, clean_secret),
        "options": _each(given.get("options") or {}, options, clean_option),
    }
    wrong = {part: errors for part, (_values, errors) in clean.items() if errors}
    if wrong:
        raise ValidationError({"channel": wrong})
    return {"secrets": clean["secrets"][0], "options": clean["options"][0]}


def configure(source: Source, given: Given, *, anew: bool) -> dict[str, tuple[Any, Any]]:
    """Keep what is given, and make the secrets that are ours to make and are not there yet.

    `anew`: what was set before was for another kind, and goes. Returns for the history what
    changed, before and after, of secrets only that they did. The new ones are in `made` of the
    source's channel. What is kept and cannot be read stays until some secret is given.
    """
    given = checked(source.kind, given)
    protocol = PROTOCOLS.get(source.kind)
    if anew:
        Channel.objects.filter(source=source).delete()
        source._state.fields_cache.pop("channel", None)
    if protocol is None:
        return {}
    channel = Channel.objects.filter(source=source).first() or Channel(source=source)
    secrets = _secrets(channel, protocol, given["secrets"])
    options = {**channel.options, **given["options"]}
    options = {name: value for name, value in options.items() if value not in (None, "", [], {})}
    changed = {
        name: (channel.options.get(name), options.get(name)) for name in given["options"]
    } | secrets
    channel.options = options
    channel.save()
    source.channel = channel
    return changed


def _secrets(
    channel: Channel, protocol: Protocol, given: Mapping[str, str | None]
) -> dict[str, tuple[Any, Any]]:
    """Set those of the channel; return what the history tells of them."""
    try:
        before = channel.secrets
    except UnreadableError:
        if not given:
            return {}
        before = {}
    after: dict[str, str | None] = {**before, **given}
    for each in protocol.secrets:
        if each.generated and not after.get(each.name):
            after[each.name] = channel.made[each.name] = random.token_urlsafe()
    channel.secrets = {name: value for name, value in after.items() if value}
    return {
        name: (before.get(name) and "set", value and ("changed" if name in before else "set"))
        for name, value in after.items()
        if value != before.get(name)
    }


def _each(
    given: Mapping[str, Any], known: Collection[str], clean: Callable[[str, Any], Any]
) -> tuple[dict[str, Any], Any]:
    """What is given, cleaned, by names, and what is wrong with it: by names too, or as a list."""
    if not set(given) <= set(known):
        # Without what was given: it may be no text that can be sent back.
        told = _("This kind of source has only these: %(names)s.") if known else ""
        return {}, [told % {"names": ", ".join(known)} or _("This kind of source has none.")]
    values, errors = {}, {}
    for name, value in given.items():
        try:
            values[name] = None if value in (None, "") else clean(name, value)
        except ValueError as error:
            errors[name] = [str(error)]
    return values, errors
