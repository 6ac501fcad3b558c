import socket
from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError

from contacts.models import WAITING, Contact
from crm_project.management.commands.prepare import check_address
from operators.models import Operator
from operators.tests.factories import OperatorFactory
from sources.models import Source

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _elsewhere(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "static"
    settings.SECRET_KEY_FILE = tmp_path / "var" / "secret_key"


def test_the_first_admin_user_is_made_once_and_told_once(capsys):
    call_command("prepare")
    first = capsys.readouterr().out
    call_command("prepare")
    second = capsys.readouterr().out
    user = get_user_model().objects.get(is_superuser=True)
    password = first.split("Password / пароль:")[1].split()[0]
    assert user.check_password(password)
    assert "Password" not in second
    assert "Collecting" not in second


def test_a_password_from_the_environment_is_not_shown(settings, capsys):
    settings.ADMIN_USERNAME, settings.ADMIN_PASSWORD = "boss", "a-secret-of-mine"
    call_command("prepare")
    assert get_user_model().objects.get(username="boss").check_password("a-secret-of-mine")
    assert "a-secret-of-mine" not in capsys.readouterr().out


def test_the_key_is_kept_for_its_owner_alone(settings):
    call_command("prepare")
    call_command("prepare")
    assert settings.SECRET_KEY_FILE.read_text() == settings.SECRET_KEY
    assert settings.SECRET_KEY_FILE.stat().st_mode & 0o777 == 0o600


def test_demo_data_is_believable_and_within_the_limits():
    with time_machine.travel(NOW, tick=False):
        call_command("prepare", "--demo")
    assert Contact.objects.count() == 400
    assert not Source.objects.filter(code="tg_main").exists()
    assert 0 < Contact.objects.filter(WAITING).count() < 100
    assert set(Contact.objects.values_list("status", flat=True)) == set(Contact.Status.values)
    for operator in Operator.objects.all():
        open_ones = operator.contacts.exclude(status="closed").count()
        assert open_ones <= operator.max_active_contacts


def test_demo_data_does_not_go_beside_other_data(capsys):
    OperatorFactory()
    call_command("prepare", "--demo")
    assert "left as it is" in capsys.readouterr().out
    with pytest.raises(CommandError, match="not empty"):
        call_command("demo")
    assert Operator.objects.count() == 1


def test_a_taken_port_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match="Another port"):
            check_address("127.0.0.1", taken.getsockname()[1])
