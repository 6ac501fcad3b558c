"""The form by which people sign in; it does not listen to who guesses passwords."""

import logging
from math import ceil
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables
from unfold.forms import AuthenticationForm

from crm_project.client_address import client_address
from crm_project.counters import Limit, counters

logger = logging.getLogger(__name__)

# Failures in 15 minutes. Of one name from one address: somebody who forgot it tries so often. From
# one address: an office. Of one name from anywhere: so many that no single stranger can shut
# somebody out, and few enough that many addresses together do not get far.
PER_NAME_AND_ADDRESS, PER_ADDRESS, PER_NAME = (
    Limit(events, 15 * 60, slides=False) for events in (5, 50, 100)
)

# The most of IPv6 that providers give one customer: 256 networks and more, each of which could
# else try as often as an address.
CUSTOMER_BITS = 48


class SignInForm(AuthenticationForm):
    """The theme's, which looks at no password after too many wrong ones.

    An attempt is counted before its password is looked at, so that many at once get no further
    than one after another; it is taken back if it was right.
    """

    # Seconds until the next attempt; 0: this one was looked at.
    wait = 0

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        username, password = (self.cleaned_data.get(name) for name in ("username", "password"))
        if username is None or not password:
            return super().clean()
        limits = limits_for(username, client_address(self.request, network_bits=CUSTOMER_BITS))
        standings = counters().count(limits) or {}
        if wait := max((each.wait for each in standings.values()), default=0):
            self.wait = ceil(wait)
            raise locked(self.wait)
        try:
            cleaned = super().clean()
        except ValidationError:
            for name, standing in standings.items():
                if not standing.remaining:
                    # What was typed may be a password; neither it nor an address is for a log.
                    told = "Signing in is locked after %d failures of one %s."
                    logger.warning(told, limits[name].events, name.split()[1])
            raise
        except DatabaseError:
            counters().take_back(limits)
            raise
        counters().take_back(limits)
        counters().forget(next(iter(limits)))
        return cleaned


def limits_for(username: str, address: str) -> dict[str, Limit]:
    """What an attempt is counted under, the narrowest first."""
    name = username.casefold()
    return {
        f"login name-and-address {address} {name}": PER_NAME_AND_ADDRESS,
        f"login address {address}": PER_ADDRESS,
        f"login name {name}": PER_NAME,
    }


def locked(wait: int) -> ValidationError:
    """In words, with the time in minutes."""
    minutes = ceil(wait / 60)
    told = ngettext(
        "Too many failed attempts to sign in. Try again in %(minutes)d minute.",
        "Too many failed attempts to sign in. Try again in %(minutes)d minutes.",
        minutes,
    )
    return ValidationError(told % {"minutes": minutes}, code="throttled")
