"""Many clients at once over real HTTP, who do whatever people do, at random, for some seconds."""

import http.client
import json
import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

CLIENTS = 32
LEADS = 40
STATUSES = ["new", "in_progress", "closed"]
STRATEGIES = ["weighted_random", "least_loaded", "smooth_weighted"]


@dataclass
class Report:
    """What the clients saw; `created` are the ids of the contacts that were acknowledged, and
    `keyed` the ids that were answered to each Idempotency-Key.
    """

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    created: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    keyed: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, other: "Report") -> None:
        self.answers.update(other.answers)
        self.created += other.created
        self.faults += other.faults
        for key, ids in other.keyed.items():
            self.keyed[key] |= ids

    @property
    def share_of_busy(self) -> float:
        """Of all answers, how many were a 503, from 0 to 1."""
        busy = sum(count for (_, status), count in self.answers.items() if status == 503)
        return busy / self.answers.total()

    def show(self) -> None:
        """Print how many answers of each kind and status there were."""
        for (name, status), count in sorted(self.answers.items()):
            print(f"{count:6} {name} {status}")


class Client:
    """One of them, with a connection of its own. The same seed asks for the same things."""

    def __init__(self, port: int, seed: int, sources: list[int], operators: list[int]) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.random = random.Random(seed)
        self.sources, self.operators = sources, operators
        self.report = Report()

    def run(self, until: float, *, everything: bool) -> None:
        acts = {self.create: 40, self.close: 60}
        if everything:
            acts |= {
                self.create_with_key: 12,
                self.create_many: 2,
                self.change_status: 15,
                self.reassign: 12,
                self.change_operator: 6,
                self.release: 2,
                self.change_weight: 4,
                self.change_source: 2,
                self.look: 4,
            }
        while time.monotonic() < until:
            (act,) = self.random.choices(list(acts), list(acts.values()))
            act()
        self.connection.close()

    def call(
        self, name: str, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        text = json.dumps(body)
        headers = {"Content-Type": "application/json", **headers}
        self.connection.request(method, path, text, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        self.report.answers[name, answer.status] += 1
        # 503: it was in somebody's way for longer than the service lets anybody wait.
        if answer.status >= 500 and answer.status != 503:
            self.report.faults.append(f"{name} {answer.status} {content[:300]!r}")
        return answer.status, json.loads(content) if content else None

    def inquiry(self) -> dict[str, Any]:
        lead = f"lead:{self.random.randrange(LEADS)}"
        return {"lead_external_id": lead, "source_id": self.random.choice(self.sources)}

    def contact(self) -> int:
        """One of those made of late, by whomever."""
        return max(1, self.newest() - self.random.randrange(30))

    def newest(self) -> int:
        return self.report.created[-1] if self.report.created else 1

    def create(self) -> None:
        status, answer = self.call("create", "POST", "/contacts", self.inquiry())
        if status == 201:
            self.report.created.append(answer["id"])

    def create_with_key(self) -> None:
        """With one of a few keys that others are sending at this moment, and the body it has."""
        key = f"{int(time.monotonic() * 5)}-{self.random.randrange(4)}"
        body = {
            "lead_external_id": f"lead:{crc32(key.encode()) % LEADS}",
            "source_id": self.sources[crc32(key.encode()) % len(self.sources)],
            "message": key,
        }
        named = {"Idempotency-Key": key}
        status, answer = self.call("create with key", "POST", "/contacts", body, **named)
        if status == 201:
            self.report.keyed[key].add(answer["id"])

    def create_many(self) -> None:
        body = {"contacts": [self.inquiry() for _ in range(10)]}
        status, answer = self.call("bulk", "POST", "/contacts/bulk", body)
        if status == 200:
            made = [each["contact"]["id"] for each in answer["results"] if "contact" in each]
            self.report.created += made

    def close(self) -> None:
        path = f"/contacts/{self.contact()}/status"
        self.call("status", "PATCH", path, {"status": "closed"})

    def change_status(self) -> None:
        body = {"status": self.random.choice(STATUSES)}
        self.call("status", "PATCH", f"/contacts/{self.contact()}/status", body)

    def reassign(self) -> None:
        body: dict[str, Any] = {}
        if self.random.random() < 0.5:
            force = self.random.random() < 0.2
            body = {"operator_id": self.random.choice(self.operators), "force": force}
        self.call("reassign", "POST", f"/contacts/{self.contact()}/reassign", body)

    def change_operator(self) -> None:
        body: dict[str, Any] = {"is_active": self.random.random() < 0.7}
        if self.random.random() < 0.5:
            body = {"max_active_contacts": self.random.randint(1, 12)}
        self.call("operator", "PATCH", f"/operators/{self.random.choice(self.operators)}", body)

    def release(self) -> None:
        path = f"/operators/{self.random.choice(self.operators)}/release"
        self.call("release", "POST", path, {"deactivate": self.random.random() < 0.5})

    def change_weight(self) -> None:
        operator, source = self.random.choice(self.operators), self.random.choice(self.sources)
        if self.random.random() < 0.3:
            self.call("weight", "DELETE", f"/assignments/{operator}/{source}")
        else:
            body = {"operator_id": operator, "source_id": source}
            body["weight"] = self.random.randint(1, 9)
            self.call("weight", "POST", "/assignments", body)

    def change_source(self) -> None:
        body = {
            "auto_assign_waiting": self.random.random() < 0.9,
            "is_active": self.random.random() < 0.9,
            "sticky": self.random.random() < 0.3,
            "strategy": self.random.choice(STRATEGIES),
        }
        self.call("source", "PATCH", f"/sources/{self.random.choice(self.sources)}", body)

    def look(self) -> None:
        path = self.random.choice(["/stats", "/contacts?waiting=true", "/operators"])
        self.call("look", "GET", path)


def set_up(port: int, limit: int) -> tuple[list[int], list[int]]:
    """Three sources and eight operators of this limit; their ids."""
    first = Client(port, 0, [], [])
    sources = [
        first.call("source", "POST", "/sources", {"name": code, "code": code})[1]["id"]
        for code in ("tg", "vk", "wa")
    ]
    operators = [
        first.call(
            "operator", "POST", "/operators", {"name": "Анна", "max_active_contacts": limit}
        )[1]["id"]
        for _ in range(8)
    ]
    for place, operator in enumerate(operators):
        for source in sources[place % 3 :]:
            body = {"operator_id": operator, "source_id": source, "weight": 1 + place}
            first.call("weight", "POST", "/assignments", body)
    first.connection.close()
    return sources, operators


def storm(port: int, seconds: float, *, everything: bool = True) -> Report:
    """Let all clients loose; return what they saw. Not `everything`: they only create and close,
    so that nobody may be above the limit in the end.
    """
    sources, operators = set_up(port, 6 if everything else 1)
    clients = [Client(port, each, sources, operators) for each in range(CLIENTS)]
    until = time.monotonic() + seconds
    threads = [
        threading.Thread(target=client.run, args=(until,), kwargs={"everything": everything})
        for client in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = Report()
    for client in clients:
        report.add(client.report)
    return report
