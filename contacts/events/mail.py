"""A notice to an operator by e-mail."""

import smtplib
from collections.abc import Callable
from email.errors import MessageError
from functools import partial

from django.core.mail import EmailMessage

from contacts.events.failures import Failure, SendingError
from contacts.events.models import Delivery
from contacts.events.notices import notice_of
from contacts.events.sending import NOBODY, Answer

# How SMTP says that it has taken the message (RFC 5321).
TAKEN = 250


def prepared(delivery: Delivery) -> Callable[[], Answer]:
    """What sends it, as `contacts.events.webhook` does."""
    notice = notice_of(delivery)
    if notice is None or not notice.operator.email:
        return lambda: NOBODY
    return partial(_send, EmailMessage(notice.subject, notice.text, to=[notice.operator.email]))


def _send(message: EmailMessage) -> Answer:
    try:
        message.send()
    except (smtplib.SMTPRecipientsRefused, MessageError, ValueError) as error:
        raise SendingError(Failure.RECIPIENT) from error
    except TimeoutError as error:
        raise SendingError(Failure.TIMEOUT) from error
    except (smtplib.SMTPException, OSError) as error:
        raise SendingError(Failure.UNREACHABLE) from error
    return Answer(TAKEN)
