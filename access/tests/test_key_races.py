"""What several requests with one key at once come to; PostgreSQL only."""

from datetime import timedelta
from functools import partial

import pytest
from django.test import Client

from access.models import ApiKey
from access.services import note_use, revoke_key
from access.tests.keys import bearer, make_key
from crm_project.audit.models import Change
from crm_project.testing.threads import at_once

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_all_are_answered_and_the_last_use_is_written(settings):
    settings.API_IS_OPEN = False
    _, text = make_key()

    def ask():
        return Client().get("/contacts", **bearer(text)).status_code

    results, errors = at_once([ask] * 40, threads=8)
    assert errors == []
    assert results == [200] * 40
    assert ApiKey.objects.get().last_used_at is not None


def test_of_many_uses_in_one_minute_one_is_written():
    key, _ = make_key()
    now = key.created_at
    copies = [ApiKey.objects.get(pk=key.pk) for _ in range(8)]

    def use(copy, seconds):
        note_use(copy, now=now + timedelta(seconds=seconds))

    # All have read that it was never used; whoever comes second finds that it was.
    _, errors = at_once([partial(use, copy, number) for number, copy in enumerate(copies)], 8)
    assert errors == []
    written = ApiKey.objects.get().last_used_at
    for number, copy in enumerate(copies):
        use(copy, number)
    assert ApiKey.objects.get().last_used_at == written


def test_two_who_revoke_it_at_once_revoke_it_once():
    key, _ = make_key()
    copies = [ApiKey.objects.get(pk=key.pk) for _ in range(8)]
    results, errors = at_once([lambda each=each: revoke_key(each) for each in copies], 8)
    assert errors == []
    assert sorted(results) == [False] * 7 + [True]
    assert Change.objects.filter(action="change").count() == 1
