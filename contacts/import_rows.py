"""What may be imported, and how a row of a file becomes it: checked as `POST /contacts` is."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from rest_framework import serializers
from rest_framework.exceptions import APIException

from contacts.bulk import read_inquiries
from contacts.inquiry import Inquiry
from contacts.services import create_contacts
from crm_project.actor import Actor
from crm_project.api.fields import OptionalTextField
from crm_project.sheets.reading import Row, SheetError
from leads.importing import take_in
from leads.serializers import ExternalIdField
from leads.services import Profile

CONTACTS, LEADS = "contacts", "leads"
# Field by field, with its title in files; those that must be there come first.
CONTACT_TITLES = {
    "lead_external_id": gettext_lazy("lead's external id"),
    "source_code": gettext_lazy("source code"),
    "message": gettext_lazy("message"),
    "lead_name": gettext_lazy("lead's name"),
    "lead_phone": gettext_lazy("lead's phone"),
    "lead_email": gettext_lazy("lead's e-mail"),
}
LEAD_TITLES = {
    "external_id": gettext_lazy("external id"),
    "name": gettext_lazy("name"),
    "phone": gettext_lazy("phone"),
    "email": gettext_lazy("e-mail"),
}


class LeadRowSerializer(serializers.Serializer):
    external_id = ExternalIdField()
    name = OptionalTextField(max_length=255)
    phone = OptionalTextField(max_length=64, trim_whitespace=False)
    email = OptionalTextField(max_length=254, trim_whitespace=False)


class Fault(NamedTuple):
    """What is wrong with a row; `column` is empty where it is the row as a whole."""

    row: int
    column: str
    text: str


class Item(NamedTuple):
    """A row by its fields."""

    row: int
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing in files.

    `read` makes of each item what is imported or the exception that says what is wrong; `write`
    imports all of them or none and counts the outcomes.
    """

    titles: dict[str, Any]
    required: int
    permission: str
    read: Callable[[list[dict[str, str]]], list[Any]]
    write: Callable[[list[Any], Actor], Counter[str]]


def _write_contacts(inquiries: list[Inquiry], actor: Actor) -> Counter[str]:
    created = create_contacts(inquiries, actor=actor)
    return Counter("assigned" if contact.operator_id else "waiting" for contact, _ in created)


def _read_leads(items: list[dict[str, str]]) -> list[Any]:
    reader = LeadRowSerializer()
    read: list[Any] = []
    for item in items:
        try:
            given = reader.run_validation(item)
            read.append((given.pop("external_id"), Profile(**given)))
        except APIException as error:
            read.append(error)
    return read


KINDS = {
    CONTACTS: Kind(CONTACT_TITLES, 2, "contacts.add_contact", read_inquiries, _write_contacts),
    LEADS: Kind(LEAD_TITLES, 1, "leads.add_lead", _read_leads, lambda rows, _: take_in(rows)),
}


@dataclass(frozen=True, slots=True)
class Header:
    """Which column holds which field; `unused` are the titles of the columns that hold none."""

    fields: tuple[str | None, ...]
    unused: tuple[str, ...]

    def item(self, row: Row) -> Item | Fault:
        if any(map(str.strip, row.cells[len(self.fields) :])):
            text = _("The row has more cells than the header: is a delimiter in a text?")
            return Fault(row.number, "", text)
        named = zip_longest(self.fields, row.cells, fillvalue="")
        return Item(row.number, {field: cell for field, cell in named if field})


def read_header(cells: Sequence[str], kind: Kind) -> Header:
    """Find the fields by their names or by their titles in any of our languages.

    Raises SheetError where one that must be there is not, or one is there twice.
    """
    known = _known(kind)
    fields = tuple(known.get(_folded(cell)) for cell in cells)
    titles = kind.titles
    for field in list(titles)[: kind.required]:
        if field not in fields:
            raise SheetError(
                _("There is no column “%(title)s” (%(field)s) in the first row.")
                % {"title": titles[field], "field": field}
            )
    for field, count in Counter(filter(None, fields)).items():
        if count > 1:
            raise SheetError(_("Two columns are “%(title)s”.") % {"title": titles[field]})
    titled = [cell.replace("\0", "").strip() for cell in cells]
    unused = [title for title, field in zip(titled, fields, strict=True) if title and not field]
    return Header(fields, tuple(unused))


def _known(kind: Kind) -> dict[str, str]:
    known = {_folded(field): field for field in kind.titles}
    for language, _name in settings.LANGUAGES:
        with override(language):
            known |= {_folded(str(title)): field for field, title in kind.titles.items()}
    return known


def _folded(title: str) -> str:
    return " ".join(title.replace("_", " ").split()).casefold()


def check(items: Sequence[Item], kind: Kind) -> tuple[list[Any], list[Fault]]:
    """What is to be imported, in order, and what is wrong with the other rows."""
    read = kind.read([item.fields for item in items])
    valid, faults = [], []
    for item, result in zip(items, read, strict=True):
        if isinstance(result, APIException):
            faults += _faults(item, result, kind)
        else:
            valid.append(result)
    return valid, faults


def _faults(item: Item, error: APIException, kind: Kind) -> list[Fault]:
    if not isinstance(error.detail, dict):
        return [Fault(item.row, "", str(error.detail))]
    return [
        Fault(item.row, str(kind.titles.get(field, "")), str(detail))
        for field, details in error.detail.items()
        for detail in details
    ]
