import pytest
from django.db import IntegrityError

from crm_project.errors import Conflict
from sources.models import Assignment, Source
from sources.services import change_weight, delete_source, remove_assignment, update_source
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def test_a_weight_of_an_assignment_removed_meanwhile_is_not_found():
    assignment = AssignmentFactory()
    remove_assignment(Assignment.objects.get(pk=assignment.pk))
    with pytest.raises(Assignment.DoesNotExist):
        change_weight(assignment, weight=2)


def test_a_fault_of_the_data_is_not_taken_for_a_taken_code():
    with pytest.raises(IntegrityError):
        update_source(SourceFactory(), name="")


def test_a_contact_that_came_and_went_while_deleting_is_a_conflict(monkeypatch):
    def refused(self):
        raise IntegrityError

    monkeypatch.setattr(Source, "delete", refused)
    with pytest.raises(Conflict):
        delete_source(SourceFactory())


@pytest.mark.django_db
def test_a_change_that_rests_on_what_is_no_longer_so_is_a_conflict():
    source = SourceFactory(name="Бот")
    update_source(source, name="Наш бот", expected={"name": "Бот"})
    with pytest.raises(Conflict):
        update_source(source, name="Их бот", expected={"name": "Бот"})
    source.refresh_from_db()
    assert source.name == "Наш бот"
