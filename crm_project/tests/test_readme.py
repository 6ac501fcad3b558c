"""The READMEs tell the truth: both languages the same, every setting, every path, the example."""

import json
import re
import shlex
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from django.conf import settings

READMES = ["README.md", "README.ru.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
READ_FROM_ENVIRONMENT = re.compile(r'env(?:iron)?\.\w+\(\s*"(\w+)"')
READ_BY_GUNICORN = re.compile(r'(?:_number\(|environ\.get\()"(\w+)"')
# In the example these are the same on every run; who was drawn is not.
FIXED = {"id", "lead_id", "source_id", "external_id", "code", "source_code", "phone"}
FIXED |= {"status", "message", "outcome", "strategy", "reason", "reassigned"}
FIXED |= {"share", "expected_share", "total_leads", "total_capacity", "used_capacity"}
FIXED |= {"type", "attr", "detail"}


def text_of(name):
    return (settings.BASE_DIR / name).read_text()


def blocks(name):
    return BLOCK.findall(text_of(name))


def variables():
    found = READ_FROM_ENVIRONMENT.findall(text_of("crm_project/settings.py"))
    found += READ_BY_GUNICORN.findall(text_of("gunicorn.conf.py"))
    return set(found)


def curl(client, line):
    """Send what a line of curl sends."""
    arguments = shlex.split(line)
    assert arguments.pop(0) == "curl"
    body, method, url, headers = None, None, None, {}
    while arguments:
        match arguments.pop(0):
            case "-s":
                pass
            case "-X":
                method = arguments.pop(0)
            case "-d":
                body = arguments.pop(0)
            case "-H":
                name, _, value = arguments.pop(0).partition(": ")
                headers[name] = value
            case url:
                path = urlsplit(url).path
    method = method or ("POST" if body else "GET")
    content_type = headers.pop("Content-Type", "application/octet-stream")
    response = client.generic(method, path, body or "", content_type, headers=headers)
    return method, path, response


def assert_documented(documented, real):
    """Every field of the documented answer is there; the fixed ones have the same value."""
    assert type(documented) is type(real)
    if isinstance(documented, dict):
        for name, value in documented.items():
            assert name in real
            if name in FIXED:
                assert real[name] == value
            elif isinstance(value, dict | list):
                assert_documented(value, real[name])
    elif isinstance(documented, list):
        for one, other in zip(documented, real, strict=True):
            assert_documented(one, other)


def test_the_code_blocks_are_the_same_in_both_languages():
    english, russian = map(blocks, READMES)
    assert english == russian
    assert len(english) > 15


def test_the_patterns_find_what_they_must():
    assert {"CRM_ALLOWED_HOSTS", "DATABASE_URL", "CRM_DOTENV", "HOST", "PORT"} <= variables()


@pytest.mark.parametrize("readme", READMES)
def test_every_setting_is_in_the_table_and_no_other(readme):
    documented = re.findall(r"^\| `([A-Z_]+)` \|", text_of(readme), re.MULTILINE)
    assert set(documented) == variables()


@pytest.mark.parametrize("readme", READMES)
def test_every_path_and_method_is_in_the_table_and_no_other(readme, client):
    paths = client.get("/openapi.json").json()["paths"]
    rows = re.findall(r"^\| `(/[^`]*)` \| ([A-Z, ]+) \|", text_of(readme), re.MULTILINE)
    documented = {path: set(methods.lower().split(", ")) for path, methods in rows}
    assert documented == {path: set(methods) for path, methods in paths.items()}


@pytest.mark.parametrize("readme", READMES)
def test_links_to_files_lead_somewhere(readme):
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text_of(readme)):
        assert (settings.BASE_DIR / target).exists()


# A fresh database with ids from 1, as after ./start.sh.
@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_the_example_works_as_it_stands(client):
    documented = blocks("README.md")
    answers = 0
    for (kind, commands), (next_kind, answer) in pairwise(documented):
        if kind != "sh" or next_kind != "json":
            continue
        for line in commands.splitlines():
            method, path, response = curl(client, line)
            created = method == "POST" and path.count("/") == 1
            refused = '"errors"' in answer
            assert response.status_code == (400 if refused else 201 if created else 200)
        assert_documented(json.loads(answer), response.json())
        answers += 1
    assert answers == 8
