"""How gunicorn serves the project; it reads this file by itself."""

import os
import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

import environ

# The settings read it too, but only after gunicorn has chosen its own.
_dotenv = os.environ.get("CRM_DOTENV") or Path(__file__).with_name(".env")
if os.path.isfile(_dotenv):
    environ.Env.read_env(_dotenv)


def _number(name: str, default: int, most: int) -> int:
    value = os.environ.get(name, "").strip() or str(default)
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= most):
        raise SystemExit(f"{name} must be a whole number from 1 to {most}, not {value!r}.")
    return int(value)


_host = os.environ.get("HOST", "").strip() or "127.0.0.1"
_port = _number("PORT", 8000, 65535)
_address = f"[{_host}]:{_port}" if ":" in _host else f"{_host}:{_port}"

bind = _address
worker_class = "gthread"
workers = _number("CRM_WORKERS", min(os.cpu_count() or 1, 4), 64)
threads = _number("CRM_THREADS", 8, 128)
graceful_timeout = 30
control_socket_disable = True
loglevel = "warning"
# Run, not imported: what the master has imported, no reload would read again.
_logs = runpy.run_path(str(Path(__file__).with_name("crm_project") / "logs.py"))
# What is no boolean or no level, the settings refuse.
_production = os.environ.get("CRM_PRODUCTION", "").strip().lower() in ("1", "true", "yes", "on")
_level = os.environ.get("CRM_LOG_LEVEL", "").strip()
logconfig_dict = _logs["configuration"](
    production=_production,
    level=_level if _level in _logs["LEVELS"] else "INFO",
    stream="stdout",
)
# The heartbeat of a worker must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  # nosec B108


def on_starting(server: Any) -> None:
    """Give the workers a folder in which they count for `/metrics`; a reload keeps it."""
    # Not on a disk, for the same reason.
    prefix = f"mini-crm-metrics-{os.getpid()}-"
    server.metrics_dir = tempfile.mkdtemp(prefix=prefix, dir=worker_tmp_dir)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = server.metrics_dir


def on_exit(server: Any) -> None:
    shutil.rmtree(server.metrics_dir, ignore_errors=True)


def when_ready(server: Any) -> None:
    """Say where to look, once there is something to see; in production only the log is read."""
    if _production:
        return
    url = f"http://{_address}"
    print(
        f"\nMini-CRM работает / is running: {url}\n"
        f"  {url}/admin/   рабочее место / back office\n"
        f"  {url}/docs     API\n"
        f"Ctrl-C — остановить / to stop",
        flush=True,
    )


def post_worker_init(worker: Any) -> None:
    """Let each worker's clock tick: what time brings about happens without a program beside us."""
    from contacts.clock import SECONDS, tick
    from crm_project.repeating import Repeating

    worker.clock = Repeating(tick, seconds=SECONDS)
    worker.clock.start()


def worker_exit(server: Any, worker: Any) -> None:
    """Let a tick under way come to its end."""
    if clock := getattr(worker, "clock", None):
        clock.stop(patience=5)
