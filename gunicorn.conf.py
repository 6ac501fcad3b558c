"""How gunicorn serves the project; it reads this file by itself."""

import gc
import ipaddress
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


def _processors() -> int:
    """Those that this process may use, which a container may have fewer of than the machine."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(count or 1, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such limit
        return count or 1


_host = os.environ.get("HOST", "").strip() or "127.0.0.1"
_port = _number("PORT", 8000, 65535)
_address = f"[{_host}]:{_port}" if ":" in _host else f"{_host}:{_port}"

bind = _address
worker_class = "crm_project.serving.Worker"
workers = _number("CRM_WORKERS", min(_processors(), 4), 64)
threads = _number("CRM_THREADS", 8, 128)
_requests_at_once = _number("CRM_REQUESTS_AT_ONCE", 2, 128)
# Fewer than the 1024 files that a process may usually have open; one more would end the worker.
worker_connections = 512
keepalive = 5
# The kernel's own way to send a file would let a client take as long as it likes.
sendfile = False
# Of a client or a proxy on this machine, gunicorn would believe headers that move the addresses.
forwarder_headers = ""
graceful_timeout = 30
control_socket_disable = True
loglevel = "warning"
logger_class = "crm_project.gunicorn_log.Log"
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


def _keep_at_home(addresses: list[Any]) -> None:
    """Raise SystemExit where others could reach the open API. A Unix socket is made for a proxy."""
    if _production:
        return
    for address in addresses:
        if not isinstance(address, tuple) or not ipaddress.ip_address(address[0]).is_loopback:
            where = address[0] if isinstance(address, tuple) else f"unix:{address}"
            raise SystemExit(
                f"Listening on {where} would open the API to everybody: without CRM_PRODUCTION=true"
                " only 127.0.0.1 is served. See Deployment in README.md."
            )


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
    from crm_project.closing import let_nobody_begin_at_the_end

    _keep_at_home([listener.getsockname() for listener in server.LISTENERS])
    let_nobody_begin_at_the_end(server)
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


def post_fork(server: Any, worker: Any) -> None:
    worker.requests_at_once = _requests_at_once


def post_worker_init(worker: Any) -> None:
    """Let each worker's clock tick: what time brings about happens without a program beside us."""
    # What is loaded stays: the collector need not look through it again and again.
    gc.collect()
    gc.freeze()
    from contacts.clock import SECONDS, tick
    from crm_project.repeating import Repeating

    worker.clock = Repeating(tick, seconds=SECONDS)
    worker.clock.start()


def worker_exit(server: Any, worker: Any) -> None:
    """Let a tick under way come to its end."""
    if clock := getattr(worker, "clock", None):
        clock.stop(patience=5)
