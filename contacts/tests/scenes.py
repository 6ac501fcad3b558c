"""What most tests of contacts begin with."""

from contacts.models import OPEN, Contact
from contacts.services import Inquiry, create_contact
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory


def serve(source, *, weight=1, **operator):
    """A new operator assigned to the source."""
    new = OperatorFactory(**operator)
    return AssignmentFactory(source=source, weight=weight, operator=new).operator


def arrive(source, external_id="lead:1", **how):
    """A lead writes through the source: the contact and the decision."""
    return create_contact(Inquiry(source, external_id), **how)


def load(operator):
    return Contact.objects.filter(OPEN, operator=operator).count()


def owner(contact):
    """Who has the contact now; None: it waits."""
    return Contact.objects.get(pk=contact.pk).operator
