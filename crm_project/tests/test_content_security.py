"""What pages may load and run: nothing from other hosts, no more than each needs."""

import pytest

pytestmark = pytest.mark.django_db
PATHS = ["/", "/operators", "/docs", "/redoc", "/openapi.json", "/admin/login/", "/nowhere"]


def policy(client, path):
    header = client.get(path).headers["Content-Security-Policy"]
    return {name: values for name, *values in (part.split() for part in header.split("; "))}


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_forbids_other_hosts_frames_and_inline_scripts(client, path):
    told = policy(client, path)
    assert told["default-src"] == ["'self'"]
    assert told["frame-ancestors"] == told["object-src"] == told["base-uri"] == ["'none'"]
    assert "'unsafe-inline'" not in told.get("script-src", [])
    known = {"'self'", "'none'", "data:", "blob:", "'unsafe-inline'", "'unsafe-eval'"}
    assert {each for values in told.values() for each in values} <= known


def test_only_the_admin_may_evaluate(client):
    able = [path for path in PATHS if "'unsafe-eval'" in policy(client, path).get("script-src", [])]
    assert able == ["/admin/login/"]


def test_only_the_theme_and_the_api_pages_may_style_inline(client):
    able = [path for path in PATHS if "style-src" in policy(client, path)]
    assert able == ["/docs", "/redoc", "/admin/login/"]
