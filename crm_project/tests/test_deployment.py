"""The files for deployment and the pages about it agree with each other and with the service."""

import configparser
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from crm_project.settings import env
from crm_project.tests.test_readme import blocks, text_of

pytestmark = pytest.mark.once

PAGES = ["docs/deployment.md", "docs/deployment.ru.md"]
UNITS = sorted(Path(settings.BASE_DIR, "deploy/systemd").glob("*.service"))
COMMAND = re.compile(r"(?:manage\.py|mini-crm-manage) ([a-z_]+)")
# compose.yaml's own, from which the service gets CRM_ALLOWED_HOSTS.
COMPOSE = {"CRM_HOST"}


def everything():
    names = [*PAGES, "compose.yaml", "Dockerfile", "deploy/nginx.conf"]
    names += [str(unit.relative_to(settings.BASE_DIR)) for unit in UNITS]
    return "\n".join(map(text_of, names))


def test_both_languages_give_the_same_commands():
    english, russian = map(blocks, PAGES)
    assert english == russian
    assert len(english) > 10


def test_every_command_that_is_named_is_there():
    named = set(COMMAND.findall(everything()))
    assert {"prepare", "backup", "check"} < named
    assert named - set(get_commands()) == set()


def test_every_setting_that_is_named_is_known():
    named = set(re.findall(r"\bCRM_[A-Z_]+\b", everything()))
    assert named - env.known - COMPOSE == set()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_every_unit_is_confined_alike(unit):
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str
    parsed.read(unit)
    service = parsed["Service"]
    assert service["User"] == "mini-crm"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["Environment"].startswith("CRM_DOTENV=/etc/mini-crm/env")


def test_a_request_that_may_have_arrived_is_sent_again_only_with_a_key():
    lines = text_of("deploy/nginx.conf").splitlines()
    (place,) = [number for number, line in enumerate(lines) if "non_idempotent;" in line]
    opened = max(n for n in range(place) if lines[n].lstrip().startswith("location"))
    assert lines[opened].split() == ["location", "/.keyed/", "{"]


@pytest.mark.parametrize(("path", "limit"), [("^/contacts/bulk/?$", "8m"), ("/admin/", "40m")])
def test_the_proxy_lets_through_what_the_service_takes(path, limit):
    block = text_of("deploy/nginx.conf").partition(f"{path} {{")[2].partition("}")[0]
    assert f"client_max_body_size {limit};" in block
    megabytes = int(limit[:-1]) * 1024 * 1024
    takes = settings.BODY_LIMITS_BYTES["/contacts/bulk"], settings.UPLOAD_LIMIT_BYTES
    assert megabytes in takes
