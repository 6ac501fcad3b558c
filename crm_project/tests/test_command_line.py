"""manage.py itself, whatever the command."""

import subprocess
import sys

from django.conf import settings


def test_a_reader_that_has_enough_ends_a_command_without_a_traceback():
    with subprocess.Popen(
        [sys.executable, "manage.py", "help"],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as manage:
        manage.stdout.close()  # long before the first word is written
        told = manage.stderr.read()
    assert (told, manage.returncode) == ("", 1)
