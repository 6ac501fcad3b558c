"""The changes to a team that `manage.py simulate` is asked for, as people type them."""

from collections.abc import Iterable

from django.core.management.base import CommandError

from contacts.distribution import Candidate
from operators.models import LEAST_LIMIT, MOST_LIMIT
from sources.models import LEAST_WEIGHT, MOST_WEIGHT

Team = tuple[Candidate, ...]
BOUNDS = {"weight": (LEAST_WEIGHT, MOST_WEIGHT), "limit": (LEAST_LIMIT, MOST_LIMIT)}


def changed_team(
    team: Team,
    *,
    remove: Iterable[str] = (),
    weights: Iterable[str] = (),
    limits: Iterable[str] = (),
    add: Iterable[str] = (),
) -> Team:
    """The team with all the changes, in order of ids; new people come last.

    Raises CommandError, in words that say what to write instead.
    """
    changed = team
    for text in remove:
        leaving = _member(changed, text, "--remove")
        changed = tuple(each for each in changed if each is not leaving)
    for text in weights:
        changed = _with(changed, text, "weight", "--weights")
    for text in limits:
        changed = _with(changed, text, "limit", "--limits")
    # Not the id of somebody removed, whose other contacts are theirs.
    first_free = max((each.operator_id for each in team), default=0) + 1
    return changed + tuple(_new(text, number) for number, text in enumerate(add, first_free))


def _with(team: Team, text: str, field: str, option: str) -> Team:
    name, equals, number = text.rpartition("=")
    if not equals:
        raise CommandError(f'{option}: write "{text}" as OP={field.upper()}, for example Anna=3.')
    one, value = _member(team, name, option), _number(number, field, option)
    new = one._replace(weight=value) if field == "weight" else one._replace(limit=value)
    return tuple(new if each is one else each for each in team)


def _new(text: str, operator_id: int) -> Candidate:
    name, _, numbers = text.rpartition("=")
    weight, colon, limit = numbers.partition(":")
    if not (name.strip() and colon):
        raise CommandError(f'--add: write "{text}" as NAME=WEIGHT:LIMIT, for example Zoe=2:8.')
    return Candidate(
        operator_id,
        name.strip(),
        _number(weight, "weight", "--add"),
        load=0,
        limit=_number(limit, "limit", "--add"),
    )


def _member(team: Team, text: str, option: str) -> Candidate:
    """Who of the team has this id, or else this name."""
    named = [each for each in team if each.name == text.strip()]
    found = [each for each in team if str(each.operator_id) == text.strip()] or named
    if len(found) > 1:
        ids = ", ".join(str(each.operator_id) for each in found)
        raise CommandError(f'{option}: several are called "{text}": give an id instead: {ids}.')
    if not found:
        assigned = ", ".join(f"{each.name} ({each.operator_id})" for each in team)
        raise CommandError(
            f'{option}: nobody with the id or name "{text}" serves this source.'
            f" Assigned: {assigned or 'nobody'}. Whoever is not can be tried with --add."
        )
    return found[0]


def _number(text: str, field: str, option: str) -> int:
    least, most = BOUNDS[field]
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise CommandError(
            f'{option}: a {field} is a whole number from {least} to {most}, not "{text}".'
        )
    return number
