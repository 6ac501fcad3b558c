"""Two who import the same file at once, and what breaks off amid a part."""

import io

import pytest
from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from contacts import import_runs
from contacts.import_rows import CONTACTS
from contacts.import_runs import advance, read_in
from contacts.models import Contact, ImportRun
from contacts.tests.sheets import csv_file
from crm_project.actor import Actor
from crm_project.testing.threads import at_once, elsewhere, meeting
from sources.models import Source
from sources.services import delete_source
from sources.tests.factories import SourceFactory

BOSS = Actor("user", "boss")


@pytest.fixture
def run(monkeypatch):
    """A file of 6 rows in 3 parts."""
    monkeypatch.setattr(import_runs, "ROWS_IN_PART", 2)
    SourceFactory(code="bot")
    rows = [["lead_external_id", "source_code"], *([f"client:{n}", "bot"] for n in range(6))]
    user = get_user_model().objects.create_user("boss")
    return read_in(io.BytesIO(csv_file(*rows)), kind=CONTACTS, file_name="a.csv", user=user)


def meet_before_reading(monkeypatch, *, seconds):
    """Two who advance meet once they know which part is next."""
    monkeypatch.setattr(import_runs, "check", meeting(import_runs.check, seconds=seconds))


def two_at_once(run):
    _, errors = at_once([lambda: advance(run.pk, actor=BOSS)] * 2, 2)
    assert errors == []
    return sorted(Contact.objects.values_list("lead__external_id", flat=True))


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_import_two_parts(run, monkeypatch):
    meet_before_reading(monkeypatch, seconds=0.7)
    assert two_at_once(run) == [f"client:{n}" for n in range(4)]
    assert ImportRun.objects.get().parts_done == 2


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_they_would_import_the_same_part_twice(run, monkeypatch):
    # Guards the test above: if this one fails, that one proves nothing.
    meet_before_reading(monkeypatch, seconds=10)
    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **kwargs: self)
    assert len(set(two_at_once(run))) == 2


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_twenty_clicks_on_eight_threads_import_every_row_once(run):
    _, errors = at_once([lambda: advance(run.pk, actor=BOSS)] * 20, 8)
    assert errors == []
    assert sorted(Contact.objects.values_list("lead__external_id", flat=True)) == [
        f"client:{n}" for n in range(6)
    ]
    assert ImportRun.objects.get().outcomes == {"waiting": 6}


@pytest.mark.django_db(transaction=True)
def test_what_breaks_off_amid_a_part_leaves_neither_rows_nor_progress(run, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*args, **kwargs):
        raise Killed

    advance(run.pk, actor=BOSS)
    with monkeypatch.context() as patch:
        # The last thing that is written.
        patch.setattr(ImportRun, "save", killed)
        with pytest.raises(Killed):
            advance(run.pk, actor=BOSS)
    assert (Contact.objects.count(), ImportRun.objects.get().parts_done) == (2, 1)
    for _ in range(3):
        advance(run.pk, actor=BOSS)
    assert Contact.objects.count() == 6


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_source_deleted_amid_a_part_undoes_it_and_the_next_click_tells(run, client, monkeypatch):
    source = Source.objects.get()

    def check(*args):
        checked = original(*args)
        elsewhere(lambda: delete_source(source))
        return checked

    original = import_runs.check
    client.force_login(run.user)
    run.user.is_staff = run.user.is_superuser = True
    run.user.save()
    path = f"/admin/contacts/contact/import/{run.pk}/next/"
    with monkeypatch.context() as patch:
        patch.setattr(import_runs, "check", check)
        page = client.post(path, follow=True).content.decode()
    assert "Попробуйте ещё раз" in page
    assert "data-auto" not in page
    for _ in range(3):
        client.post(path)
    run.refresh_from_db()
    assert (run.faulty_rows, run.outcomes, Contact.objects.count()) == (6, {}, 0)
