"""What the API answers is what DRF would have written."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import renderers

from crm_project.api.renderers import JSONRenderer

texts = st.text(st.characters(exclude_categories=["Cs"]))
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.uuids(),
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)


@given(values)
def test_it_is_what_drf_writes(value):
    text, by_drf = JSONRenderer().render(value), renderers.JSONRenderer().render(value)
    assert json.loads(text or b"null") == json.loads(by_drf or b"null")


@pytest.mark.parametrize(
    "value",
    [
        '\u2028\u2029 Щенок 🐕 " \\ \x7f\x00',
        {1: 2**70, None: Decimal("1.10")},
        [gettext_lazy("lead"), datetime(2026, 1, 2, 3, 4, 5, 6000, UTC), date(2026, 1, 2)],
        [time(1, 2), timedelta(days=1), UUID(int=1), 0.1, 1.0, -0.0],
        [[]] * 300,
    ],
)
def test_letter_for_letter(value):
    assert JSONRenderer().render(value) == renderers.JSONRenderer().render(value)


def test_so_deep_as_the_other_goes():
    value = []
    for _ in range(400):
        value = [value]
    assert JSONRenderer().render(value) == b"[" * 401 + b"]" * 401


def test_half_a_character_is_refused_alike():
    with pytest.raises(UnicodeEncodeError):
        JSONRenderer().render("\ud800")
