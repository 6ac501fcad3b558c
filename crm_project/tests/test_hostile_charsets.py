"""The charset that a client names is not believed: the service as gunicorn runs it."""

import fcntl
import http.client

import pytest

from crm_project.testing.service import Service

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("charsets")
    counters = {"CRM_COUNTERS_FILE": str(folder / "counters.sqlite3")}
    service = Service(f"sqlite:///{folder / 'db.sqlite3'}", workers=1, **counters)
    service.migrate()
    # The page for signing in names files by what is in them; one process of the tests collects.
    with (tmp_path_factory.getbasetemp().parent / "static.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        service.manage("prepare", "--only-static")
    service.start()
    yield service
    service.kill()


def ask(service, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data; boundary*=b; boundary*0=c", "a/b; x*=nochar'en'%ff", "a/b; x*0*=%"],
)
def test_no_parameters_make_it_fail(service, content_type):
    for path in ("/contacts", "/health", "/sources/form/webhook"):
        assert ask(service, "POST", path, "x", **{"Content-Type": content_type}) < 500


@pytest.mark.parametrize("charset", ["rot13", "hex", "idna", "unicode_escape", "utf-7", "zlib"])
def test_no_charset_makes_it_fail(service, charset):
    sent = {"Content-Type": f"x/y; charset={charset}"}
    query = "search=%5Cud800&source=%5Cud800"
    assert ask(service, "GET", "/health?x=%5C1", **sent) == 200
    assert ask(service, "GET", f"/contacts?{query}", **sent) == 200
    assert ask(service, "GET", "/leads?external_id=%5Cud800", **sent) == 200
    json = {"Content-Type": f"application/json; charset={charset}"}
    assert ask(service, "POST", "/contacts", "{}", **json) == 400


@pytest.mark.parametrize("charset", ["rot13", "unicode_escape", "utf-7", "base64"])
def test_no_charset_makes_signing_in_fail(service, charset):
    token = "a" * 32
    fields = {
        "csrfmiddlewaretoken": token,
        "username": f"\\ud800+2AA-{charset}",
        "password": "\\ud800+2AA-",
    }
    parts = [
        f'--X\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    sent = {
        "Content-Type": f"multipart/form-data; boundary=X; charset={charset}",
        "Cookie": f"csrftoken={token}",
    }
    assert ask(service, "POST", "/admin/login/", "".join(parts) + "--X--\r\n", **sent) == 200
