"""An event as a signed message over HTTP."""

import time
from collections.abc import Callable
from functools import partial

from contacts.events.failures import Failure, SendingError
from contacts.events.models import Delivery
from contacts.events.payload import body_of
from contacts.events.sending import Answer, post
from contacts.events.signing import signed_headers
from crm_project.encryption import UnreadableError, decrypt


def prepared(delivery: Delivery) -> Callable[[], Answer]:
    """What sends it, and needs no database for that. Raises SendingError."""
    subscription = delivery.subscription
    try:
        secret = decrypt(subscription.secret)
    except UnreadableError as error:
        raise SendingError(Failure.SECRET) from error
    body = body_of(delivery)
    headers = signed_headers(
        secret,
        message_id=f"msg_{subscription.prefix}_{delivery.pk}",
        timestamp=int(time.time()),
        body=body,
    )
    return partial(post, subscription.url, {"Content-Type": "application/json", **headers}, body)
