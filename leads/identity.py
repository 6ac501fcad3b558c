"""What tells who a lead is: that two may be one person, having the same number or address however
written, and the id of one who is nobody any more.
"""

import re
import secrets
from functools import lru_cache

import phonenumbers

# No address is longer (RFC 5321), and an index holds no text of any length.
LONGEST_EMAIL = 254


@lru_cache(maxsize=20_000)
def normalised_phone(text: str, *, region: str) -> str:
    """The number in E.164, such as +79000000102; empty where it is none that can be dialled.

    Without a country code it belongs to `region`, a two-letter code. An extension is left out.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    # What parses need not be valid: "12345" does.
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalised_email(text: str) -> str:
    """The address in one case and without blanks around it; empty where it is none."""
    folded = text.strip().casefold()
    name, _, domain = folded.rpartition("@")
    return folded if name and domain and len(folded) <= LONGEST_EMAIL else ""


def erased_id() -> str:
    """A new external id that tells nothing, for a lead whose data are erased."""
    return f"erased:{secrets.token_hex(8)}"


def is_erased_id(external_id: str) -> bool:
    """Has it the form that `erased_id` keeps for itself?"""
    return re.fullmatch("erased:[0-9a-f]{16}", external_id) is not None
