"""start.sh and gunicorn.conf.py: what can be wrong is one line that says what to do."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest
from django.conf import settings as project

from crm_project.settings import env
from crm_project.testing import ports

pytestmark = pytest.mark.once

ROOT = Path(project.BASE_DIR)
TOOLS = ["bash", "dirname", "mkdir", "sed", "tail", "tr", "cat", "head", "cksum"]
PYTHONS = ["python3.14", "python3.13", "python3.12", "python3.11", "python3", "python"]
BASH = shutil.which("bash")


def environment(**variables):
    """Ours, without anything that sets the service up."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CRM_")
        and name not in ("PORT", "HOST", "DATABASE_URL", "PYTHON", "DJANGO_SETTINGS_MODULE")
    }
    return mine | {"CRM_DOTENV": "/dev/null"} | variables


def run(folder, *command, **variables):
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def start(folder, *arguments, **variables):
    return run(folder, BASH, "start.sh", *arguments, **variables)


def assert_one_line(done, *words):
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert all(word in lines[0] for word in words), lines[0]


@pytest.fixture
def folder(tmp_path):
    """A copy of what start.sh needs before it installs anything."""
    shutil.copy(ROOT / "start.sh", tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    return tmp_path


@pytest.fixture
def free_port():
    return str(ports.free_port())


def pretend(folder, script):
    """A PATH on which every Python is this script; without one there is no Python."""
    path = folder / "path"
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(shutil.which(tool))
    for name in PYTHONS if script else []:
        (path / name).write_text(f"#!{BASH}\n{script}\n")
        (path / name).chmod(0o755)
    return str(path)


def test_help_explains_and_makes_nothing(folder):
    done = start(folder, "--help")
    assert done.returncode == 0
    assert "--demo" in done.stdout
    assert not done.stderr
    assert not (folder / "var").exists()


@pytest.mark.parametrize("option", ["--dmeo", "demo", "-x", ""])
def test_an_unknown_option_is_refused(folder, option):
    assert_one_line(start(folder, option), "Unknown option", "--help")


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "80 80", "8000;ls", "99999999999"])
def test_a_bad_port_is_refused(folder, port):
    assert_one_line(start(folder, PORT=port), "PORT", port)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "192.0.2.1", "::", "crm.example.com", "a.b"],  # noqa: S104  # is refused
)
def test_the_open_api_is_not_served_to_others(folder, host):
    assert_one_line(start(folder, HOST=host), "HOST", host, "CRM_PRODUCTION")


def test_a_taken_port_is_refused_before_the_slow_work(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_one_line(start(folder, PORT=port), port, "taken")
    assert not (folder / ".venv").exists()


def test_host_and_port_are_read_from_the_file_too(folder):
    (folder / ".env").write_text("# PORT=1\nHOST = '0.0.0.0'\nPORT=9\n")
    assert_one_line(start(folder, CRM_DOTENV=""), "HOST=0.0.0.0")
    assert_one_line(start(folder, CRM_DOTENV="", HOST="127.0.0.1", PORT="x"), "'x'")


def test_a_folder_without_room_for_data_is_refused(folder, free_port):
    (folder / "var").write_text("a file, which even root cannot write into")
    assert_one_line(start(folder, PORT=free_port), "Cannot write", str(folder / "var"))


def test_no_python_is_said(folder, free_port):
    done = start(folder, PORT=free_port, PATH=pretend(folder, ""))
    assert_one_line(done, "Python 3.11", "Install")


def test_an_old_python_is_said(folder, free_port):
    script = '[ "$1" = --version ] && echo "Python 3.8.18" && exit; exit 1'
    done = start(folder, PORT=free_port, PATH=pretend(folder, script))
    assert_one_line(done, "Python 3.11", "Python 3.8.18")


def test_a_named_python_that_is_too_old_is_not_passed_over(folder, free_port):
    old = folder / "old"
    old.write_text(f'#!{BASH}\n[ "$1" = --version ] && echo "Python 3.10.13" && exit; exit 1\n')
    old.chmod(0o755)
    assert_one_line(start(folder, PORT=free_port, PYTHON=str(old)), str(old), "Python 3.10.13")


def test_a_python_without_venv_is_said(folder, free_port):
    script = 'case "$*" in *ensurepip*) exit 1 ;; --version) echo "Python 3.12.1" ;; esac'
    done = start(folder, PORT=free_port, PATH=pretend(folder, script))
    assert_one_line(done, "no venv module", "python3-venv")


def test_another_projects_venv_behind_a_link_is_not_emptied(folder, free_port):
    theirs = folder / "theirs"
    theirs.mkdir()
    (theirs / "precious").touch()
    (folder / ".venv").symlink_to(theirs)
    assert_one_line(start(folder, PORT=free_port), ".venv is a link", "remove the link")
    assert (theirs / "precious").exists()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CRM_DEBUG": "maybe"}, ["CRM_DEBUG", "true or false"]),
        ({"CRM_ADMIN_USER": "olga"}, ["CRM_ADMIN_USER", "Did you mean CRM_ADMIN_USERNAME?"]),
        ({"CRM_PRODUCTION": "true", "CRM_SECRET_KEY": "short"}, ["CRM_SECRET_KEY"]),
        ({"DATABASE_URL": "mysql://here/crm"}, ["DATABASE_URL"]),
        ({"DATABASE_URL": "sqlite:////no/such/folder/db"}, ["/no/such/folder/db", "DATABASE_URL"]),
        ({"DATABASE_URL": "postgresql://crm@127.0.0.1:1/crm"}, ["127.0.0.1:1", "DATABASE_URL"]),
    ],
)
def test_wrong_settings_are_one_line(variables, words):
    # A key from outside, so that none is put into the var/ of whoever runs the tests.
    variables = {"CRM_SECRET_KEY": "x" * 50} | variables
    assert_one_line(run(ROOT, sys.executable, "manage.py", "prepare", **variables), *words)


def test_the_example_lists_every_variable_and_sets_none():
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert all(not line or line.startswith("#") for line in lines)
    listed = {line[1:].partition("=")[0] for line in lines if re.match(r"#[A-Z_]+=", line)}
    assert listed == env.known - {"CRM_DOTENV"} | {"HOST", "PORT", "CRM_CONN_MAX_AGE"}


def gunicorn_settings(before="", **variables):
    code = before + "import runpy; c = runpy.run_path('gunicorn.conf.py')"
    code += "; print(c['bind'], c['workers'], c['threads'], c['worker_class'])"
    return run(ROOT, sys.executable, "-c", code, **variables)


def test_gunicorn_listens_where_it_is_told():
    done = gunicorn_settings(HOST="::1", PORT="9000", CRM_WORKERS="3", CRM_THREADS="2")
    assert done.stdout.split() == ["[::1]:9000", "3", "2", "crm_project.serving.Worker"]


def test_an_empty_variable_means_the_default():
    done = gunicorn_settings(HOST="", PORT=" ", CRM_WORKERS="", CRM_THREADS="")
    address, workers, threads, _class = done.stdout.split()
    assert (address, threads) == ("127.0.0.1:8000", "8")
    assert 1 <= int(workers) <= 4


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone tells")
def test_gunicorn_counts_only_the_processors_it_may_use():
    one = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
    assert gunicorn_settings(one).stdout.split()[1] == "1"


def test_gunicorn_reads_the_file_as_the_settings_do(tmp_path):
    (tmp_path / "env").write_text("CRM_THREADS=3\nCRM_WORKERS=2\n")
    done = gunicorn_settings(CRM_DOTENV=str(tmp_path / "env"), CRM_WORKERS="1")
    assert done.stdout.split()[1:3] == ["1", "3"]


@pytest.mark.parametrize("name", ["PORT", "CRM_WORKERS", "CRM_THREADS", "CRM_REQUESTS_AT_ONCE"])
@pytest.mark.parametrize("value", ["0", "-1", "2.5", "two", "70000", "²"])
def test_gunicorn_refuses_senseless_numbers(name, value):
    assert_one_line(gunicorn_settings(**{name: value}), name, value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("0.0.0.0:{port}", "0.0.0.0"),  # noqa: S104  # is refused
        ("[::]:{port}", "::"),
        ("unix:{folder}/socket", "unix:"),
    ],
)
def test_gunicorn_itself_does_not_serve_the_open_api_to_others(tmp_path, free_port, address, said):
    bind = address.format(port=free_port, folder=tmp_path)
    gunicorn = [sys.executable, "-m", "gunicorn", "crm_project.wsgi", "--bind", bind]
    assert_one_line(run(ROOT, *gunicorn), said, "CRM_PRODUCTION")
    assert_one_line(run(ROOT, *gunicorn[:-2], HOST="0.0.0.0", PORT=free_port), "CRM_PRODUCTION")  # noqa: S104  # is refused


def test_it_serves_says_where_and_stops_on_ctrl_c(tmp_path, free_port):
    ignored = shutil.ignore_patterns(".*", "var", "tests", "__pycache__")
    copy = shutil.copytree(ROOT, tmp_path / "copy", ignore=ignored)
    (copy / "scripts" / "python-env.sh").write_text(
        'VENV=.venv\nfail() { echo "$1" >&2; exit 1; }\nensure_venv() { :; }\n'
        "install_requirements() { :; }\n"
    )
    (copy / ".venv" / "bin").mkdir(parents=True)
    for name, module in {"python": "", "gunicorn": "-m gunicorn"}.items():
        wrapper = copy / ".venv" / "bin" / name
        wrapper.write_text(f'#!{BASH}\nexec "{sys.executable}" {module} "$@"\n')
        wrapper.chmod(0o755)
    with subprocess.Popen(
        [BASH, "start.sh"],
        cwd=copy,
        env=environment(PORT=free_port),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            said = ""
            for line in server.stdout:
                said += line
                if "Ctrl-C" in line:
                    break
            with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/health/ready") as answer:
                assert answer.status == 200
            beside = psutil.Process(server.pid).children(recursive=True)
            assert sum("deliver_events" in each.cmdline() for each in beside) == 1
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 0
            _gone, left = psutil.wait_procs(beside, timeout=20)
            assert left == []
            assert "Traceback" not in server.stderr.read()
        finally:
            server.kill()
    assert "Password" in said
    assert f"http://127.0.0.1:{free_port}/docs" in said
    assert (copy / "var" / "secret_key").stat().st_mode & 0o777 == 0o600
