"""`manage.py prepare` where something is there already, or has changed."""

import os
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db
User = get_user_model()


@pytest.fixture(autouse=True)
def own(settings, tmp_path, monkeypatch):
    """A folder of the test's own in place of var/, and one static file in place of hundreds."""
    monkeypatch.delenv("CRM_SECRET_KEY", raising=False)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "page.css").write_text("a {}")
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [tmp_path / "assets"]
    settings.STATIC_ROOT = tmp_path / "static"
    settings.SECRET_KEY_FILE = tmp_path / "secret_key"
    settings.ADMIN_USERNAME, settings.ADMIN_PASSWORD = "admin", ""
    return tmp_path


def prepare(**options):
    out = StringIO()
    call_command("prepare", stdout=out, **options)
    return out.getvalue()


def test_a_second_run_says_and_changes_nothing(own):
    prepare()

    def state():
        files = {each: each.stat().st_mtime_ns for each in own.rglob("*") if each.is_file()}
        return files, list(User.objects.values())

    before = state()
    assert prepare() == ""
    assert state() == before


def test_an_admin_user_who_is_there_is_left_alone(settings):
    User.objects.create_superuser("root", password="x")
    settings.ADMIN_PASSWORD = "other"
    assert "admin" not in prepare()
    assert list(User.objects.values_list("username", flat=True)) == ["root"]


def test_nobody_is_made_admin_whose_name_it_is():
    User.objects.create_user("admin", password="x")
    with pytest.raises(CommandError, match="CRM_ADMIN_USERNAME"):
        prepare()
    assert not User.objects.filter(is_superuser=True).exists()


def test_static_files_are_collected_again_once_one_has_changed(own):
    prepare()
    (own / "assets" / "page.css").write_text("a { color: red }")
    assert "static files" in prepare()
    assert (own / "static" / "page.css").read_text() == "a { color: red }"


def test_static_files_that_were_removed_are_collected_again(own):
    prepare()
    (own / "static" / ".collected").unlink()
    (own / "static" / "page.css").unlink()
    prepare()
    assert (own / "static" / "page.css").is_file()


def test_for_an_image_the_static_files_alone_are_collected(own):
    prepare(only_static=True)
    assert {each.name for each in own.iterdir()} == {"assets", "static"}
    assert not User.objects.exists()


def test_an_image_that_cuts_times_to_seconds_needs_no_collecting(own):
    prepare()
    file = own / "assets" / "page.css"
    os.utime(file, (int(file.stat().st_mtime),) * 2)
    assert prepare() == ""


def test_an_empty_key_is_replaced(own, settings):
    (own / "secret_key").touch()
    prepare()
    assert (own / "secret_key").read_text() == settings.SECRET_KEY


def test_a_key_that_is_set_elsewhere_is_not_written_down(own, settings, monkeypatch):
    settings.PRODUCTION = True
    prepare()
    settings.PRODUCTION = False
    monkeypatch.setenv("CRM_SECRET_KEY", "set outside")
    prepare()
    assert not (own / "secret_key").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "crm.example.com"])  # noqa: S104
def test_the_open_api_is_not_served_to_others(host, settings):
    settings.API_IS_OPEN = True
    with pytest.raises(CommandError, match="CRM_PRODUCTION"):
        prepare(listen=f"{host}:8000")
    assert not User.objects.exists()
