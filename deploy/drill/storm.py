"""Many clients who create, close and reassign contacts through a proxy, and what became of it.

`run` sends until SIGTERM and writes down what was acknowledged; `verify` then asks the database.
Who creates with an Idempotency-Key sends it again until there is an answer, as a bot should.
"""

import argparse
import http.client
import json
import os
import random
import signal
import ssl
import sys
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

OPERATORS = 8
LIMIT = 40
SOURCES = ["tg", "vk", "site"]
# No client gives up before the service must have recovered.
PATIENCE_SECONDS = 60
# What may be answered while something is broken on purpose; besides, a close or a reassignment is
# refused where another one was first.
ALLOWED = {200, 201, 502, 503}
REFUSED = 409

stopped = threading.Event()


@dataclass
class Report:
    """What the clients saw. `created`: the id and the moment of each acknowledged contact by its
    message; `sent`: the messages of all that were ever sent; `closed`: ids acknowledged as closed.
    """

    answers: Counter[str] = field(default_factory=Counter)
    created: dict[str, tuple[int, float]] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0


class Connection(http.client.HTTPConnection):
    """To the address of a target; by TLS to the name of the service there."""

    def __init__(self, target: "Target") -> None:
        super().__init__(target.address, target.port, timeout=30)
        self.target = target

    def connect(self) -> None:
        super().connect()
        if self.target.secure:
            self.sock = self.target.context.wrap_socket(self.sock, server_hostname=self.target.host)


class Target:
    """Where to send and as whom."""

    def __init__(self, url: str, host: str, authority: str) -> None:
        parts = urlsplit(url)
        self.secure = parts.scheme == "https"
        self.address, self.port = str(parts.hostname), int(parts.port or 0)
        self.host, self.headers = host, {"Host": host, "Content-Type": "application/json"}
        self.context = ssl.create_default_context(cafile=authority)

    def connect(self) -> "Connection":
        return Connection(self)

    def sign_in(self, name: str, password: str) -> None:
        """Let all clients use one session of the back office."""
        connection = self.connect()
        connection.request("GET", "/admin/login/", headers={"Host": self.host})
        answer = connection.getresponse()
        answer.read()
        cookies = _cookies(answer)
        form = {"username": name, "password": password}
        connection.request(
            "POST",
            "/admin/login/",
            urlencode(form | {"csrfmiddlewaretoken": cookies["csrftoken"]}),
            {
                "Host": self.host,
                "Content-Type": "application/x-www-form-urlencoded",
                "Referer": f"https://{self.host}/admin/login/",
                "Cookie": f"csrftoken={cookies['csrftoken']}",
            },
        )
        answer = connection.getresponse()
        if answer.status != 302:
            raise SystemExit(f"Cannot sign in: {answer.status}.")
        cookies |= _cookies(answer)
        self.headers |= {
            "Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items()),
            "X-CSRFToken": cookies["csrftoken"],
            "Referer": f"https://{self.host}/",
        }


def _cookies(answer: http.client.HTTPResponse) -> dict[str, str]:
    lines = answer.headers.get_all("Set-Cookie") or []
    return dict(line.partition(";")[0].split("=", 1) for line in lines)


class Client:
    """One of many, with a connection of its own."""

    def __init__(self, target: Target, seed: int, operators: list[int]) -> None:
        self.target, self.operators = target, operators
        self.random = random.Random(seed)
        self.connection = target.connect()
        self.report = Report()
        self.open: list[int] = []

    def run(self) -> None:
        acts = {self.create_with_key: 40, self.create: 10, self.close: 40, self.reassign: 10}
        while not stopped.is_set():
            (act,) = self.random.choices(list(acts), list(acts.values()))
            act()

    def call(self, name: str, method: str, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        """The status and the JSON; 0 where the connection broke, None where it is no JSON."""
        began = time.monotonic()
        try:
            self.connection.request(method, path, json.dumps(body), self.target.headers | headers)
            answer = self.connection.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            status, content = 0, repr(error).encode()
        self.report.slowest = max(self.report.slowest, time.monotonic() - began)
        self.report.answers[f"{name} {status or 'broken'}"] += 1
        if status not in ALLOWED and not (status == REFUSED and name in ("close", "reassign")):
            self.report.faults.append(f"{name} {status} {content[:200]!r}")
        try:
            return status, json.loads(content)
        except ValueError:
            return status, None

    def inquiry(self) -> dict[str, str]:
        message = uuid.UUID(int=self.random.getrandbits(128)).hex
        self.report.sent.append(message)
        return {
            "lead_external_id": f"lead:{self.random.randrange(500)}",
            "source_code": self.random.choice(SOURCES),
            "message": message,
        }

    def acknowledged(self, message: str, contact: int) -> None:
        self.report.created[message] = (contact, time.time())
        self.open.append(contact)

    def create(self) -> None:
        """Once: whoever has no key cannot know whether a second time is safe."""
        body = self.inquiry()
        status, answer = self.call("create", "POST", "/contacts", body)
        if status == 201:
            self.acknowledged(body["message"], answer["id"])

    def create_with_key(self) -> None:
        body = self.inquiry()
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            key = {"Idempotency-Key": body["message"]}
            status, answer = self.call("create with key", "POST", "/contacts", body, **key)
            if status == 201:
                return self.acknowledged(body["message"], answer["id"])
            time.sleep(0.2)
        return self.report.faults.append(f"no answer in {PATIENCE_SECONDS} s to a key")

    def close(self) -> None:
        if not self.open:
            return
        contact = self.open.pop(self.random.randrange(len(self.open)))
        path = f"/contacts/{contact}/status"
        status, _ = self.call("close", "PATCH", path, {"status": "closed"})
        if status == 200:
            self.report.closed.append(contact)

    def reassign(self) -> None:
        if self.open:
            path = f"/contacts/{self.random.choice(self.open)}/reassign"
            self.call("reassign", "POST", path, {})


def set_up(target: Target) -> list[int]:
    """Three sources and eight operators who serve them all; the ids of the operators."""
    first = Client(target, 0, [])

    def make(path: str, body: dict[str, Any]) -> Any:
        status, answer = first.call("set up", "POST", path, body)
        if status != 201:
            raise SystemExit(f"Cannot set up: {path} answered {status} {answer}.")
        return answer

    sources = [make("/sources", {"name": code, "code": code})["id"] for code in SOURCES]
    operators = []
    for number in range(OPERATORS):
        body = {"name": f"Operator {number}", "max_active_contacts": LIMIT}
        operators.append(make("/operators", body)["id"])
        for source in sources:
            pair = {"operator_id": operators[-1], "source_id": source, "weight": 1 + number}
            make("/assignments", pair)
    return operators


def run(target: Target, clients: int) -> Report:
    """Let them loose until SIGTERM."""
    operators = set_up(target)
    print("The storm has begun.", flush=True)
    everybody = [Client(target, 1 + number, operators) for number in range(clients)]
    threads = [threading.Thread(target=each.run) for each in everybody]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = Report()
    for each in everybody:
        total.answers.update(each.report.answers)
        total.created |= each.report.created
        total.sent += each.report.sent
        total.closed += each.report.closed
        total.faults += each.report.faults
        total.slowest = max(total.slowest, each.report.slowest)
    return total


def show(report: Report) -> None:
    for name, count in sorted(report.answers.items()):
        print(f"{count:8} {name}")
    moments = sorted(moment for _, moment in report.created.values())
    pauses = [after - before for before, after in pairwise(moments)]
    print(f"{len(report.created):8} contacts acknowledged, {len(report.closed)} closes")
    print(f"{max(pauses, default=0):8.1f} s the longest without any contact acknowledged")
    print(f"{report.slowest:8.1f} s the slowest answer")


def verify(file: Path, before: float) -> list[str]:
    """What is wrong, in words. `before`: only what was acknowledged until then has to be there."""
    import django  # the clients need none of it

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_project.settings")
    django.setup()
    from contacts.models import Contact

    report = json.loads(file.read_text())
    rows = list(Contact.objects.values_list("message", "pk", "status"))
    times = Counter(message for message, _, _ in rows)
    there = {(message, pk) for message, pk, _ in rows}
    closed = {pk for _, pk, status in rows if status == "closed"}
    due = [(text, pk) for text, (pk, moment) in report["created"].items() if moment < before]
    lost = [each for each in due if each not in there]
    twice = [message for message in report["sent"] if times[message] > 1]
    reopened = [pk for pk in report["closed"] if pk not in closed] if before == float("inf") else []
    print(f"{len(due):8} acknowledged contacts looked for among {len(rows)}")
    wrong = [
        f"{len(which)} {what}: {which[:3]}"
        for which, what in (
            (lost, "acknowledged contacts are lost"),
            (twice, "contacts were made twice"),
            (reopened, "acknowledged closes are lost"),
        )
        if which
    ]
    return wrong + report["faults"][:10]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="what was acknowledged")
    parser.add_argument("--url", help="send there until SIGTERM; without it: verify")
    parser.add_argument("--host", default="crm.example.com", help="the name of the service")
    parser.add_argument("--authority", help="whose certificates to believe")
    parser.add_argument("--clients", type=int, default=int(os.environ.get("STORM_CLIENTS", "16")))
    parser.add_argument("--before", type=float, default=float("inf"), metavar="SECONDS")
    options = parser.parse_args()
    if not options.url:
        wrong = verify(options.file, options.before)
        print("\n".join(wrong) or "       0 lost, 0 made twice, no other fault")
        return int(bool(wrong))
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    target = Target(options.url, options.host, options.authority)
    if authorization := os.environ.get("STORM_AUTHORIZATION"):
        target.headers["Authorization"] = authorization
    elif login := os.environ.get("STORM_LOGIN"):
        target.sign_in(*login.split(":", 1))
    report = run(target, options.clients)
    show(report)
    options.file.write_text(json.dumps(vars(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
