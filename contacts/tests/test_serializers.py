"""What is written out for speed says what the fields say, which OpenAPI describes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import AnonymousUser
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory

from access.permissions import SourceNotAllowed
from contacts.distribution import Decision
from contacts.serializers import (
    ContactSerializer,
    CreatedContactSerializer,
    LeadDetailSerializer,
    NewContactSerializer,
    ReassignedContactSerializer,
)
from contacts.services import Inquiry, Reassignment, create_contact
from contacts.tests.factories import ContactFactory
from leads.serializers import KeptLeadSerializer, LeadSerializer
from leads.services import Profile
from leads.tests.factories import LeadFactory
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def contacts():
    source = AssignmentFactory().source
    given = create_contact(Inquiry(source, "tg:1", "Добрый день", Profile("Анна", "1", "a@b")))
    waiting = create_contact(Inquiry(SourceFactory(), "tg:2"))
    closed = ContactFactory(
        status="closed",
        created_at=datetime(2026, 11, 24, 9, 0, 0, tzinfo=ZoneInfo("Asia/Tokyo")),
        closed_at=datetime(2026, 11, 24, 9, 0, 0, 120, tzinfo=UTC),
    )
    return [given, waiting, (closed, Decision(None))]


@pytest.mark.parametrize(
    "serializer", [ContactSerializer, CreatedContactSerializer, ReassignedContactSerializer]
)
def test_a_contact_reads_as_its_fields_do(serializer):
    for contact, decision in contacts():
        reassignment = Reassignment(contact, decision, moved=True)
        inquiry = Inquiry(contact.source, "other", profile=Profile("X"))
        for only_given in (None, inquiry):
            context = {
                "decision": decision,
                "reassignment": reassignment,
                "only_given": only_given,
            }
            writer = serializer(contact, context=context)
            assert list(writer.data.items()) == by_fields(writer)


@pytest.mark.parametrize("serializer", [LeadSerializer, KeptLeadSerializer, LeadDetailSerializer])
def test_a_lead_reads_as_its_fields_do(serializer, settings):
    settings.API_IS_OPEN = True
    lead = LeadFactory(phone="+7 900 000-01-02")
    ContactFactory(lead=lead)
    # As it is told of; the database would have more of it empty.
    lead.erased_at = datetime(2026, 1, 1, tzinfo=UTC)
    request = APIRequestFactory().get("/")
    request.api_key, request.user = None, AnonymousUser()
    writer = serializer(lead, context={"request": request})
    assert list(writer.data.items()) == by_fields(writer)


def by_fields(writer):
    return list(ModelSerializer.to_representation(writer, writer.instance).items())


def test_readers_share_their_fields_and_nothing_else():
    SourceFactory(code="tg")
    first, second = NewContactSerializer(), NewContactSerializer(context={"only_sources": set()})
    assert first.fields is second.fields
    assert first.run_validation({"lead_external_id": "1", "source_code": "tg"})
    with pytest.raises(SourceNotAllowed):
        second.run_validation({"lead_external_id": "1", "source_code": "tg"})
