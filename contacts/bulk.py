"""Many contacts in one request: what is invalid is told and does not stop the others."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.models import Q
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.exceptions import APIException

from contacts import examples
from contacts.distribution import Decision
from contacts.inquiry import Inquiry
from contacts.models import Contact
from contacts.plain import plain_texts
from contacts.serializers import CreatedContactSerializer, NewContactSerializer
from contacts.services import SourceInactive, create_contacts
from crm_project.actor import Actor
from crm_project.api.errors import ExceptionFormatter
from crm_project.api.filters import LARGEST_ID
from crm_project.api.schema import ErrorSerializer
from leads.services import Profile
from sources.models import Source, validate_code

MOST_IN_BULK = 1000
EXAMPLE = OpenApiExample(
    "Messages, in their order", {"contacts": [examples.NEW_CONTACT.value]}, request_only=True
)


class BulkSerializer(serializers.Serializer):
    # Of whatever type: what is wrong with an item is told in its own result.
    contacts = serializers.ListField(
        min_length=1, max_length=MOST_IN_BULK, help_text="Each as for `POST /contacts`."
    )


class BulkResultSerializer(serializers.Serializer):
    index = serializers.IntegerField(help_text="From 0, in the order given.")
    contact = CreatedContactSerializer(required=False)
    errors = ErrorSerializer(many=True, required=False)


class BulkResultsSerializer(serializers.Serializer):
    results = BulkResultSerializer(many=True)


def create_each(
    items: Sequence[Any],
    *,
    actor: Actor,
    only_sources: Collection[int] | None = None,
    knows_leads: bool = True,
) -> list[dict[str, Any]]:
    """Create the valid ones, in order, all or none; a result for each item.

    `only_sources` are the ids of those in which they may be created, None for all; who does not
    know the leads is told of each only what the item says.

    Raises SourceInactive where a source was made inactive meanwhile.
    """
    results: list[dict[str, Any]] = [{"index": index} for index in range(len(items))]
    valid: list[tuple[dict[str, Any], Inquiry]] = []
    for result, read in zip(results, read_inquiries(items, only_sources), strict=True):
        if isinstance(read, Inquiry):
            valid.append((result, read))
        else:
            result["errors"] = ExceptionFormatter(read, {}, read).run()["errors"]
    if valid:
        created = create_contacts([inquiry for _, inquiry in valid], actor=actor)
        given = [None if knows_leads else inquiry for _, inquiry in valid]
        for (result, _), contact in zip(valid, _as_json(created, given), strict=True):
            result["contact"] = contact
    return results


def outcomes_of(results: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many got an operator, how many wait, and how many were invalid."""
    contacts = [each["contact"] for each in results if "contact" in each]
    assigned = sum(each["operator_id"] is not None for each in contacts)
    return {
        "assigned": assigned,
        "waiting": len(contacts) - assigned,
        "invalid": len(results) - len(contacts),
    }


def read_inquiries(
    items: Sequence[Any], only_sources: Collection[int] | None = None
) -> list[Inquiry | APIException]:
    """What each item asks for, or what is wrong with it."""
    context = {"sources": _sources_named(items), "only_sources": only_sources}
    reader = NewContactSerializer(context=context)
    read: list[Inquiry | APIException] = []
    for item in items:
        if plain := read_plain(item, context["sources"], only_sources):
            read.append(plain)
            continue
        try:
            read.append(_read(reader, item))
        except APIException as error:
            read.append(error)
    return read


def read_plain(
    item: Any, sources: Mapping[Any, Source | None], only_sources: Collection[int] | None
) -> Inquiry | None:
    """What an item asks for in which there is nothing wrong and nothing unusual, exactly as the
    serializer would read it, but faster; None: it has to look.
    """
    if type(item) is not dict:
        return None
    source = _plain_source(item.get("source_code"), item.get("source_id"), sources)
    if source is None or not (only_sources is None or source.pk in only_sources):
        return None
    texts = plain_texts(item)
    return Inquiry(source, *texts[:2], Profile(*texts[2:])) if texts else None


def _plain_source(code: Any, pk: Any, sources: Mapping[Any, Source | None]) -> Source | None:
    """That which is named by one of the two, if it takes contacts."""
    name = pk if code is None else code
    if type(name) is not (int if code is None else str) or not (code is None or pk is None):
        return None
    source = sources.get(name)
    return source if source and source.is_active else None


def _sources_named(items: Sequence[Any]) -> dict[Any, Source | None]:
    """The sources that the items name, by code and by id; None for a name without a source."""
    objects = [item for item in items if isinstance(item, dict)]
    codes = {code for each in objects if isinstance(code := each.get("source_code"), str)}
    ids = {pk for each in objects if type(pk := each.get("source_id")) is int}
    known: dict[Any, Source | None] = dict.fromkeys([*codes, *ids])
    # The others are refused by the serializer, some by the database as well.
    found = Source.objects.filter(
        Q(code__in=[code for code in codes if validate_code.regex.search(code)])
        | Q(pk__in=[pk for pk in ids if 1 <= pk <= LARGEST_ID])
    )
    for source in found:
        known |= {source.code: source, source.pk: source}
    return known


def _read(reader: NewContactSerializer, item: Any) -> Inquiry:
    inquiry: Inquiry = reader.run_validation(item)["inquiry"]
    if not inquiry.source.is_active:
        raise SourceInactive
    return inquiry


def _as_json(
    created: Sequence[tuple[Contact, Decision]], only_given: Sequence[Inquiry | None]
) -> list[dict[str, Any]]:
    """By one serializer for all, which looks up once why those that wait do."""
    context: dict[str, Any] = {}
    contacts = [contact for contact, _ in created]
    writer = CreatedContactSerializer(contacts, many=True, context=context).child
    shown = []
    for (contact, decision), inquiry in zip(created, only_given, strict=True):
        context |= {"decision": decision, "only_given": inquiry}
        shown.append(writer.to_representation(contact))
    return shown
