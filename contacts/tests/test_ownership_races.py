"""A former operator's click against the reassignment that it has not seen; PostgreSQL only."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction

from contacts.models import Contact
from contacts.rights import NotYours
from contacts.services import change_status, reassign_contact
from contacts.tests.factories import ContactFactory
from crm_project.testing.threads import until_somebody_waits
from operators.tests.factories import OperatorFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def while_it_goes_to_another(click):
    """Let `click(contact, former operator)` begin amid a reassignment, and end after it.

    Returns the contact, its new operator and the error of the click, or None.
    """
    anna, boris = OperatorFactory(name="Анна"), OperatorFactory(name="Борис")
    contact = ContactFactory(operator=anna)
    looked = threading.Event()

    def late():
        try:
            looked.wait()
            click(contact, anna)
        except NotYours as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        clicked = pool.submit(late)
        with transaction.atomic():
            reassign_contact(contact.pk, operator_id=boris.pk)
            looked.set()
            until_somebody_waits()
        error = clicked.result()
    return Contact.objects.get(pk=contact.pk), boris, error


@pytest.mark.parametrize("status", ["in_progress", "closed"])
def test_a_contact_that_goes_to_another_meanwhile_is_not_changed(status):
    def click(contact, anna):
        change_status(contact.pk, status=status, only_of=anna.pk)

    contact, boris, error = while_it_goes_to_another(click)
    assert (contact.status, contact.operator) == ("new", boris)
    assert "Борис" in str(error.detail)


def test_nor_is_it_returned():
    def click(contact, anna):
        reassign_contact(contact.pk, only_of=anna.pk)

    contact, boris, error = while_it_goes_to_another(click)
    assert contact.operator == boris
    assert error


def test_looked_at_before_the_lock_it_would_be_closed():
    # Guards the tests above: if this one fails, those prove nothing.
    def click(contact, anna):
        assert Contact.objects.get(pk=contact.pk).operator == anna
        change_status(contact.pk, status="closed")

    contact, boris, error = while_it_goes_to_another(click)
    assert (contact.status, contact.operator, error) == ("closed", boris, None)


def test_who_may_change_every_contact_gets_it_with_the_operator_of_now():
    """The statement that locks the contact has joined the operator before it waited."""
    changed = []

    def click(contact, anna):
        changed.append(change_status(contact.pk, status="in_progress"))

    _contact, boris, _error = while_it_goes_to_another(click)
    assert changed[0].operator == boris
