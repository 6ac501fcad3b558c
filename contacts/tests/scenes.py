"""What most tests of contacts begin with."""

import threading

from django.db.models import QuerySet

from contacts import services
from contacts.models import OPEN, Contact
from contacts.services import Inquiry, create_contact
from crm_project.testing.threads import at_once, until_somebody_waits
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory


def serve(source, *, weight=1, **operator):
    """A new operator assigned to the source."""
    new = OperatorFactory(**operator)
    return AssignmentFactory(source=source, weight=weight, operator=new).operator


def arrive(source, external_id="lead:1", **how):
    """A lead writes through the source: the contact and the decision."""
    return create_contact(Inquiry(source, external_id), **how)


def arrival_amid(change, external_id, monkeypatch, *, locking):
    """Somebody arrives whose lead was found just before `change` comes to it: what went wrong.

    With `locking` the arrival goes on when the change waits, else when that is done.
    """
    found, done = threading.Event(), threading.Event()
    source, real = SourceFactory(), services.lock_operators

    def lock_operators(**kwargs):
        if not found.is_set():
            found.set()
            if locking:
                until_somebody_waits()
            else:
                done.wait(timeout=10)
        return real(**kwargs)

    def change_when_found():
        found.wait(timeout=10)
        change()
        done.set()

    monkeypatch.setattr(services, "lock_operators", lock_operators)
    if not locking:
        monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **kwargs: self)
    _, errors = at_once([lambda: arrive(source, external_id), change_when_found], 2)
    return errors


def load(operator):
    return Contact.objects.filter(OPEN, operator=operator).count()


def owner(contact):
    """Who has the contact now; None: it waits."""
    return Contact.objects.get(pk=contact.pk).operator
