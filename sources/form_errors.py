"""What is wrong with a form, in the words of who filled it in."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ErrorDetail, ValidationError

WORDS = {
    ("phone", "required"): _("Leave a telephone number or an e-mail address to be answered at."),
    ("phone", "invalid"): _("Check the number, with the code of the city or the country."),
    ("email", "invalid"): _("Check the address: it looks like name@example.com."),
    ("consent", "required"): _("Without your consent we may not keep your message."),
}
TOO_LONG = _("This is too long.")


def in_words(fields: Mapping[str, str]) -> ValidationError:
    """From codes by the names of fields, as `sources.channels.protocol.Invalid` has them."""
    return ValidationError(
        {
            name: [ErrorDetail(WORDS.get((name, code), TOO_LONG), code)]
            for name, code in fields.items()
        }
    )
