"""Who somebody is that fills in a form: nobody says, so it is told by how to reach them."""

import secrets

import phonenumbers

from sources.channels.reading import LONGEST_EMAIL, LONGEST_ID


def person_id(*, phone: str, email: str, event_id: str | None, region: str) -> str:
    """The external id: by the number where it is one, else by the address, else one for this event
    alone.
    """
    if dialled := _dialled(phone, region):
        return f"phone:{dialled}"
    if address := _address(email):
        return f"email:{address}"[:LONGEST_ID]
    return f"form:{event_id or secrets.token_hex(8)}"[:LONGEST_ID]


def _dialled(phone: str, region: str) -> str:
    """As `leads.identity` has it, which is of another app."""
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _address(email: str) -> str:
    folded = email.strip().casefold()
    name, _, domain = folded.rpartition("@")
    return folded if name and domain and len(folded) <= LONGEST_EMAIL else ""
