"""Requests in a process of its own: each connection sends its next one when it has its answer.

`python -m stats.benchmark.load` reads a plan as JSON from its input and writes lines of JSON: how
many tenths of it are done, and at the end what came of it. It imports nothing of the service, so
that it costs little beside it.
"""

import json
import random
import re
import selectors
import socket
import sys
from collections import Counter, defaultdict
from time import perf_counter
from typing import Any

# Of a hundred requests.
KINDS = {
    "intake": {"post": 100},
    "mix": {"post": 60, "close": 25, "list": 10, "stats": 5},
}
NEW_LEADS = 0.9
# Seconds without an answer, after which nobody waits any more.
PATIENCE = 30.0
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
ID = re.compile(rb'\{\s*"id":\s*(\d+)')
MESSAGE = "Здравствуйте! Хочу узнать цену и сроки."


class Client:
    """A connection, and the request that it waits for."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.kind, self.since = "", 0.0

    def send(self, kind: str, request: bytes) -> None:
        self.kind, self.received, self.since = kind, b"", perf_counter()
        self.socket.sendall(request)

    def answer(self) -> tuple[int, bytes] | None:
        """Status and body; None: it has not come whole yet. Raises ConnectionError."""
        piece = self.socket.recv(262_144)
        if not piece:
            raise ConnectionResetError
        self.received += piece
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not end:
            return None
        if length is None:
            raise ConnectionError("an answer of unknown length")
        return (int(head[9:12]), body) if len(body) >= int(length[1]) else None


class Load:
    def __init__(self, plan: dict[str, Any]) -> None:
        self.port = plan["port"]
        # Where it says how many, it does not matter how long they take.
        self.seconds, self.requests = plan["seconds"], plan["requests"]
        self.connections = plan["connections"]
        self.sources, self.leads = plan["sources"], plan["leads"]
        self.head = "".join(f"{name}: {value}\r\n" for name, value in plan["headers"].items())
        self.chance, self.mark = random.Random(plan["seed"]), plan["mark"]
        shares = KINDS[plan["kind"]]
        self.hundred = [kind for kind, share in shares.items() for _ in range(share)]
        self.next: list[str] = []
        self.open: list[int] = []
        self.sent = self.asked = self.ended = self.tenths = 0
        self.times: dict[str, list[float]] = defaultdict(list)
        self.statuses: dict[str, Counter[str]] = defaultdict(Counter)

    def run(self) -> dict[str, Any]:
        """Times in milliseconds and statuses by kind; a word for one that got no answer."""
        self.begun = perf_counter()
        self.selector = selectors.DefaultSelector()
        for _ in range(self.connections):
            self.connect()
        while self.selector.get_map():
            events = self.selector.select(PATIENCE)
            for key, _ in events:
                self.read(key.data)
            if not events:
                for key in list(self.selector.get_map().values()):
                    self.lose(key.data, "no answer")
        return {
            "seconds": perf_counter() - self.begun,
            "times": self.times,
            "statuses": self.statuses,
        }

    def connect(self) -> None:
        try:
            client = Client(self.port)
        except OSError:
            self.statuses["connect"]["refused"] += 1
            return
        self.selector.register(client.socket, selectors.EVENT_READ, client)
        self.go_on(client)

    def read(self, client: Client) -> None:
        try:
            answer = client.answer()
        except OSError:
            self.lose(client, "cut")
            return
        if answer is None:
            return
        status, body = answer
        self.times[client.kind].append(1000 * (perf_counter() - client.since))
        self.statuses[client.kind][str(status)] += 1
        if status == 201 and (found := ID.match(body)):
            self.open.append(int(found[1]))
        self.count()
        self.go_on(client)

    def count(self) -> None:
        self.ended += 1
        if self.requests:
            tenths = 10 * self.ended // self.requests
        else:
            tenths = min(10, int(10 * (perf_counter() - self.begun) / self.seconds))
        for done in range(self.tenths + 1, tenths + 1):
            say({"tenths": done})
        self.tenths = max(self.tenths, tenths)

    def is_over(self) -> bool:
        if self.requests:
            return self.asked >= self.requests
        return perf_counter() - self.begun >= self.seconds

    def go_on(self, client: Client) -> None:
        if self.is_over():
            self.forget(client)
            return
        self.asked += 1
        try:
            client.send(*self.request())
        except OSError:
            self.lose(client, "cut")

    def lose(self, client: Client, why: str) -> None:
        self.statuses[client.kind][why] += 1
        self.count()
        self.forget(client)
        if not self.is_over():
            self.connect()

    def forget(self, client: Client) -> None:
        self.selector.unregister(client.socket)
        client.socket.close()

    def request(self) -> tuple[str, bytes]:
        if not self.next:
            self.next = self.chance.sample(self.hundred, 100)
        kind = self.next.pop()
        if kind == "list":
            return kind, self.written("GET", "/contacts")
        if kind == "stats":
            return kind, self.written("GET", "/stats")
        if kind == "close" and self.open:
            place = self.chance.randrange(len(self.open))
            self.open[place], self.open[-1] = self.open[-1], self.open[place]
            address = f"/contacts/{self.open.pop()}/status"
            return kind, self.written("PATCH", address, {"status": "closed"})
        return "post", self.written("POST", "/contacts", self.contact())

    def contact(self) -> dict[str, str]:
        self.sent += 1
        lead = f"{self.mark}-{self.sent}"
        if self.chance.random() >= NEW_LEADS:
            lead = f"tg:{self.chance.randrange(self.leads)}"
        return {
            "lead_external_id": lead,
            "source_code": self.sources[self.sent % len(self.sources)],
            "message": MESSAGE,
            "lead_name": f"Клиент {self.sent}",
            "lead_phone": f"+7901{self.sent % 10_000_000:07}",
        }

    def written(self, method: str, path: str, body: dict[str, str] | None = None) -> bytes:
        content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        length = "" if body is None else f"Content-Length: {len(content)}\r\n"
        kind = "" if body is None else "Content-Type: application/json\r\n"
        return f"{method} {path} HTTP/1.1\r\n{self.head}{kind}{length}\r\n".encode() + content


def say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    say(Load(json.load(sys.stdin)).run())
