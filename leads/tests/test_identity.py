"""Numbers and addresses are the same however they are written."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from leads.identity import normalised_email, normalised_phone

REGIONS = st.sampled_from(["RU", "KZ", "BY", "DE", "US"])
SPELLINGS = [
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.RFC3966,
]


@pytest.mark.parametrize(
    "text",
    ["+7 900 000-01-02", "8 (900) 000-01-02", "89000000102", "9000000102", " +7(900)0000102 "],
)
def test_one_number_in_many_spellings_is_one(text):
    assert normalised_phone(text, region="RU") == "+79000000102"


@pytest.mark.parametrize("text", ["", "12345", "нет", "+7 000 000-00-00", "9" * 64, "+"])
def test_what_nobody_can_dial_is_no_number(text):
    assert normalised_phone(text, region="RU") == ""


def test_a_number_without_country_code_belongs_to_the_region():
    assert normalised_phone("030 123456", region="DE") == "+4930123456"
    assert normalised_phone("030 123456", region="RU") == ""


@given(REGIONS, st.integers(0, 10**7 - 1))
def test_every_usual_spelling_of_a_valid_number_gives_the_same(region, tail):
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    digits = str(example.national_number)
    number = phonenumbers.PhoneNumber(
        country_code=example.country_code, national_number=int(digits[:-7] + f"{tail:07}")
    )
    if phonenumbers.is_valid_number(number):
        spelled = {phonenumbers.format_number(number, each) for each in SPELLINGS}
        assert len({normalised_phone(each, region=region) for each in spelled}) == 1


@given(st.text(max_size=64), REGIONS)
def test_a_phone_of_any_text_is_normalised_once_and_for_all(text, region):
    once = normalised_phone(text, region=region)
    assert normalised_phone(once, region="RU") == once
    assert len(once) <= 32


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (" Anna@Example.COM\n", "anna@example.com"),
        ("АННА@почта.рф", "анна@почта.рф"),
        ("", ""),
        ("нет", ""),
        ("@", ""),
        ("anna@", ""),
        ("@example.com", ""),
        ("ß" * 250 + "@a.b", ""),  # longer in one case than any address
    ],
)
def test_an_address_has_one_case_and_no_blanks_around(text, key):
    assert normalised_email(text) == key


@given(st.text(max_size=254))
def test_an_address_of_any_text_is_normalised_once_and_for_all(text):
    once = normalised_email(text)
    assert normalised_email(once) == once
    assert len(once) <= 254
