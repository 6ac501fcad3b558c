"""manage.py api_key."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone, translation

from access.models import ApiKey
from access.services import FORM, find_key
from crm_project.audit.services import changes_of
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db


def run(*words):
    """What it writes to the standard output, and beside it."""
    out, err = StringIO(), StringIO()
    call_command("api_key", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_key_alone_is_on_the_standard_output():
    SourceFactory(code="tg_main")
    SourceFactory(code="site")
    words = ["create", "Бот", "--scope", "intake", "--source", "tg_main", "--source", "site"]
    out, err = run(*words)
    assert FORM.fullmatch(out.removesuffix("\n"))
    key = find_key(out.strip())
    assert (key.name, key.scope, key.expires_at) == ("Бот", "intake", None)
    assert {source.code for source in key.sources.all()} == {"tg_main", "site"}
    assert key.prefix in err
    assert out.strip() not in err
    assert changes_of(key).get().actor_type == "command"


def test_it_can_be_made_to_expire():
    run("create", "a", "--scope", "read", "--expires-in-days", "30")
    run("create", "b", "--scope", "read", "--expires-at", "2099-01-31T18:00:00+03:00")
    run("create", "c", "--scope", "read", "--expires-at", "2099-01-31T18:00")
    first, second, third = (key.expires_at for key in ApiKey.objects.order_by("pk"))
    assert timedelta(days=29) < first - timezone.now() < timedelta(days=31)
    assert second == third


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Бот", "--scope", "intake"], "sources"),
        (["Бот", "--scope", "intake", "--source", "none"], "none"),
        (["Бот", "--scope", "read", "--source", "site"], "sources"),
        (["Бот", "--scope", "all"], "invalid choice"),
        (["Бот"], "--scope"),
        (["Есть", "--scope", "read"], "title"),
        (["  ", "--scope", "read"], "1 to 100"),
        (["a" * 101, "--scope", "read"], "1 to 100"),
        (["Бот", "--scope", "read", "--expires-in-days", "0"], "1 to"),
        (["Бот", "--scope", "read", "--expires-in-days", "99999999999"], "1 to"),
        (["Бот", "--scope", "read", "--expires-at", "tomorrow"], "tomorrow"),
        (["Бот", "--scope", "read", "--expires-at", "2026-13-45T00:00"], "2026-13"),
        (["Бот", "--scope", "read", "--expires-at", "2020-01-01T00:00Z"], "expired"),
    ],
)
def test_what_is_wrong_is_said_in_words(words, said):
    SourceFactory(code="site")
    run("create", "Есть", "--scope", "read")
    with translation.override("en"), pytest.raises(CommandError, match=said):
        run("create", *words)
    assert ApiKey.objects.count() == 1


def test_the_list_shows_everything_but_the_secrets():
    SourceFactory(code="tg_main")
    text, _ = run("create", "Бот", "--scope", "intake", "--source", "tg_main")
    dead, _ = run("create", "Старый", "--scope", "read")
    run("revoke", find_key(dead.strip()).prefix)
    out, _ = run("list")
    revoked, valid = out.splitlines()
    assert all(each in valid for each in ("valid", "Бот", "intake", "tg_main", "never"))
    assert all(each in revoked for each in ("revoked 20", "Старый", "read"))
    assert text.strip().rpartition("_")[2] not in out


def test_revoking_twice_changes_nothing():
    text, _ = run("create", "Бот", "--scope", "read")
    prefix = find_key(text.strip()).prefix
    assert run("revoke", f"crm_{prefix}")[0] == ""
    first = ApiKey.objects.get().revoked_at
    assert "already" in run("revoke", prefix)[1]
    assert ApiKey.objects.get().revoked_at == first
    with pytest.raises(CommandError, match="abc"):
        run("revoke", "abc")
