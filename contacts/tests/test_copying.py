"""What is written as rows is what the ORM would have written, and what is read plainly is what the
serializer would have read.
"""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from contacts import copying
from contacts.bulk import read_inquiries, read_plain
from contacts.copying import candidates_as_text, skipped_as_text
from contacts.distribution import STRATEGIES, Candidate, Reason, Skipped, draw_one, weigh
from contacts.history import recorded_candidates, skipped_as_json
from contacts.models import Contact, DecisionRecord
from contacts.services import Inquiry, create_contacts
from leads import copying as lead_copying
from leads.models import Lead
from leads.services import Profile
from operators.tests.factories import OperatorFactory
from sources.models import Source
from sources.tests.factories import AssignmentFactory, SourceFactory

candidates = st.builds(
    Candidate,
    operator_id=st.integers(1, 10**18),
    name=st.text(),
    weight=st.integers(1, 1000),
    load=st.integers(0, 10_000),
    limit=st.integers(1, 10_000),
    turns=st.integers(0, 1000),
)
CANDIDATES = DecisionRecord._meta.get_field("candidates")
SKIPPED = DecisionRecord._meta.get_field("skipped")


@given(
    st.lists(candidates, max_size=5),
    st.lists(candidates, max_size=3),
    st.sampled_from(Reason),
    st.sampled_from(sorted(STRATEGIES)),
)
def test_the_json_of_a_decision_is_the_same_however_it_is_made(
    among, passed_over, reason, strategy
):
    skipped = [Skipped(each, reason) for each in passed_over]
    decision = draw_one(weigh(among, skipped, strategy=strategy), lambda: 0.5)
    for field, rows, text in (
        (CANDIDATES, recorded_candidates(decision), candidates_as_text(decision)),
        (SKIPPED, skipped_as_json(decision), skipped_as_text(decision)),
    ):
        for kept in (text, json.dumps(field.get_prep_value(rows))):
            assert field.from_db_value(kept, None, connection) == rows


def test_shares_that_are_not_the_weights_are_kept(monkeypatch):
    """As those of a strategy that somebody has added."""
    monkeypatch.setitem(STRATEGIES, "most_room", lambda among: [each.limit for each in among])
    among = [Candidate(n, "", weight=1, load=0, limit=n) for n in (1, 3)]
    decision = draw_one(weigh(among, strategy="most_room"), lambda: 0.5)
    kept = CANDIDATES.from_db_value(candidates_as_text(decision), None, connection)
    assert [each["share"] for each in kept] == [0.25, 0.75]
    assert kept == recorded_candidates(decision)


def everything():
    """All rows, without their ids."""
    hidden = {"id", "lead", "contact", "source", "operator_id", "previous_operator_id", "operator"}

    def rows(model):
        names = [each.name for each in model._meta.fields if each.name not in hidden]
        return list(model.objects.order_by("pk").values(*names))

    return rows(Lead), rows(Contact), rows(DecisionRecord)


@pytest.mark.django_db
@pytest.mark.parametrize("strategy", ["weighted_random", "least_loaded", "smooth_weighted"])
def test_many_are_written_as_few_are(monkeypatch, strategy):
    now, found = timezone.now() - timedelta(days=1), []
    for many in (1000, 1):
        for model in (DecisionRecord, Contact, Lead, Source):
            model.objects.all().delete()
        monkeypatch.setattr(copying, "MANY", many)
        monkeypatch.setattr(lead_copying, "MANY", many)
        source = SourceFactory(code="s", strategy=strategy)
        for n in range(3):
            operator = OperatorFactory(name=f'"{n}"', max_active_contacts=4)
            AssignmentFactory(source=source, operator=operator, weight=1 + n)
        AssignmentFactory(source=source, operator=OperatorFactory(name="fort\\", is_active=False))
        texts = ["", "\\N", "a\tb\nc\rd", "'\"", "Щенок 🐕", "\\.", "x" * 5000]
        asked = [
            Inquiry(source, f"{n % 13}\\{n % 13}", texts[n % 7], Profile(texts[n % 5], str(n), ""))
            for n in range(60)
        ]
        create_contacts(asked, now=now, draw=lambda: 0.4)
        found.append(everything())
        waiting = Contact.objects.filter(operator__isnull=True)
        assert waiting.count() == 48
    few, written_many = found
    # Operators are others: their ids stand in what is kept of the candidates.
    for _, _, records in found:
        for each in records:
            each["odds"] = len(each["odds"])
            for one in each["candidates"] + each["skipped"]:
                del one["operator_id"]
    assert written_many == few


def test_every_column_is_written_that_a_new_row_needs():
    contact = {each.attname for each in Contact._meta.concrete_fields}
    assert contact - set(copying.CONTACT_COLUMNS) == {"closed_at", "escalated_at"}
    decision = {each.attname for each in DecisionRecord._meta.concrete_fields}
    assert decision - set(copying.DECISION_COLUMNS) == {"id"}
    lead = {each.attname for each in Lead._meta.concrete_fields}
    assert lead - set(lead_copying.COLUMNS) == {"id", "merged_into_id", "erased_at"}


VALUES = [None, "", " ", "tg:1", " a ", "erased:0123456789abcdef", "\0", "\ud800", "x" * 65]
VALUES += ["x" * 256, " " * 300 + "a", "x" * 10_001, 5, 2.0, True, [], {}]
FIELDS = ["lead_external_id", "source_code", "message", "lead_name", "lead_phone", "lead_email"]


@pytest.mark.django_db
def test_what_is_read_plainly_is_what_the_serializer_reads(monkeypatch):
    source = SourceFactory(code="tg")
    off = SourceFactory(code="off", is_active=False)
    good = {"lead_external_id": "a", "source_code": "tg"}
    items = [good | {field: value} for field in FIELDS for value in VALUES]
    items += [
        {"lead_external_id": "a", "source_code": code, "source_id": pk}
        for code in (None, "tg", "off", "none", 1)
        for pk in (None, source.pk, off.pk, -1, str(source.pk), float(source.pk), True)
    ]
    items += [[], "tg", None, {}]
    for allowed in (None, [source.pk], []):
        told = [read_inquiries(items, allowed)]
        with monkeypatch.context() as patch:
            # Of many at once, of one alone, and by the fields of the serializer.
            for plain in ("contacts.bulk.read_plain", "contacts.serializers.plain_texts"):
                patch.setattr(plain, lambda *_: None)
                told.append(read_inquiries(items, allowed))
        quick, alone, by_fields = ([getattr(each, "detail", each) for each in of] for of in told)
        assert quick == alone == by_fields
    assert read_plain(good, {"tg": source}, None) == Inquiry(source, "a")
