"""A notice to an operator by a bot of Telegram (https://core.telegram.org/bots/api#sendmessage)."""

import json
from collections.abc import Callable
from functools import partial

from django.conf import settings

from contacts.events.failures import Failure, SendingError
from contacts.events.models import Delivery
from contacts.events.notices import notice_of
from contacts.events.sending import NOBODY, Answer, post
from crm_project.encryption import UnreadableError, decrypt

# The chat is not there, or its owner has stopped the bot: a matter of this operator alone.
NOT_TO_THIS_ONE = (400, 403)


def prepared(delivery: Delivery) -> Callable[[], Answer]:
    """What sends it, as `contacts.events.webhook` does; the secret is the token of the bot."""
    notice = notice_of(delivery)
    if notice is None or notice.operator.telegram_chat_id is None:
        return lambda: NOBODY
    try:
        token = decrypt(delivery.subscription.secret)
    except UnreadableError as error:
        raise SendingError(Failure.SECRET) from error
    message = {
        "chat_id": notice.operator.telegram_chat_id,
        "text": notice.text,
        "link_preview_options": {"is_disabled": True},
    }
    url = f"{settings.TELEGRAM_API_URL}/bot{token}/sendMessage"
    return partial(_send, url, json.dumps(message).encode())


def _send(url: str, body: bytes) -> Answer:
    answer = post(url, {"Content-Type": "application/json"}, body)
    if answer.status in NOT_TO_THIS_ONE:
        raise SendingError(Failure.RECIPIENT)
    return answer
