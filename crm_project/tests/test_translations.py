"""Russian is complete: nothing missing, nothing fuzzy, nothing uncompiled."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest
from django.conf import settings

CATALOGUES = [Path(folder) / "ru" / "LC_MESSAGES" / "django.po" for folder in settings.LOCALE_PATHS]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*\}|%%")


@pytest.mark.parametrize("file", CATALOGUES, ids=["own", "theme"])
def test_every_message_is_translated_with_its_placeholders(file):
    catalogue = polib.pofile(str(file))
    assert catalogue.percent_translated() == 100
    assert not catalogue.fuzzy_entries()
    assert not catalogue.obsolete_entries()
    for entry in catalogue:
        for text in [entry.msgstr] if entry.msgstr else entry.msgstr_plural.values():
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(entry.msgid))


@pytest.mark.parametrize("file", CATALOGUES, ids=["own", "theme"])
def test_the_compiled_catalogue_is_that_of_the_source(file):
    def messages(catalogue):
        return {entry.msgid: (entry.msgstr, entry.msgstr_plural) for entry in catalogue}

    assert messages(polib.pofile(str(file))) == messages(polib.mofile(str(file.with_suffix(".mo"))))


def test_the_catalogue_has_the_messages_of_the_code(tmp_path):
    """Where gettext's programs are; continuous integration has them."""
    if not shutil.which("xgettext"):
        assert CATALOGUES[0].exists()
        return
    # Other processes come and go with what they compile.
    compiled = shutil.ignore_patterns("__pycache__")
    for name in [*settings.INSTALLED_APPS, "locale", "manage.py"]:
        source = settings.BASE_DIR / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=compiled)
        elif source.is_file():
            shutil.copy(source, tmp_path / name)
    command = [sys.executable, "-m", "django", "makemessages", "--locale=ru", "--verbosity=0"]
    subprocess.run([*command, "--ignore=theme"], cwd=tmp_path, check=True)
    fresh = polib.pofile(str(tmp_path / "locale" / "ru" / "LC_MESSAGES" / "django.po"))
    assert {entry.msgid for entry in fresh if not entry.obsolete} == {
        entry.msgid for entry in polib.pofile(str(CATALOGUES[0]))
    }
