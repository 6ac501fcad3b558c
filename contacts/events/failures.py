"""Why something could not be sent."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Failure(models.TextChoices):
    TIMEOUT = "timeout", _("no answer in time")
    REFUSED = "refused", _("the connection was refused")
    UNREACHABLE = "unreachable", _("the connection failed")
    NO_SUCH_NAME = "no_such_name", _("there is no such host")
    TLS = "tls", _("no trusted connection by TLS")
    BAD_ADDRESS = "bad_address", _("this is no address of http or https")
    FORBIDDEN = "forbidden_address", _("the address is in a network that is not allowed")
    PLAIN = "plain_http", _("the address must begin with https")
    NO_HTTP = "no_http", _("the answer was no HTTP")
    STATUS = "status", _("the receiver answered with an error")
    OURS = "ours", _("an error of this service, which the log tells of")
    RECIPIENT = "recipient", _("this recipient cannot be written to")
    SECRET = "secret", _("the secret cannot be read: make a new one")


class SendingError(Exception):
    """There was no answer; `failure` tells why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure
