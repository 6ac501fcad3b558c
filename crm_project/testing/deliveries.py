"""Channels that deliver all at once over real HTTP, in any order, again and again; and forgers.

What is sent is made by the documents of Telegram and Meta, and by nothing of ours.
"""

import hashlib
import hmac
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

CLIENTS = 32
# So many messages a person writes on the average.
MESSAGES = 4
REDELIVERED = 0.3
# Of every so many deliveries, one more is forged.
FORGED_EVERY = 20
TELEGRAM, WHATSAPP = "tg", "wa"
TOKEN, APP_SECRET = "token-of-telegram-0123456789", "secret-of-meta-0123456789"
SET_UP = f"""
from operators.models import Operator
from sources.models import Assignment, Channel, Source
operators = [
    Operator.objects.create(name=f"Оператор {{n}}", max_active_contacts=10_000) for n in range(8)
]
for code, kind, secrets in [
    ("{TELEGRAM}", "telegram", {{"secret_token": "{TOKEN}"}}),
    ("{WHATSAPP}", "whatsapp", {{"verify_token": "v", "app_secret": "{APP_SECRET}"}}),
]:
    source = Source.objects.create(code=code, name=code, kind=kind, reuse_open_contact=True)
    channel = Channel(source=source)
    channel.secrets = secrets
    channel.save()
    for operator in operators:
        Assignment.objects.create(source=source, operator=operator)
"""


@dataclass(frozen=True)
class Event:
    """One message: its `text` is that of no other one."""

    source: str
    person: int
    number: int

    @property
    def text(self) -> str:
        return f"{self.source} {self.number}"

    def body(self) -> bytes:
        return (self._telegram if self.source == TELEGRAM else self._whatsapp)()

    def headers(self, body: bytes, *, forged: bool) -> dict[str, str]:
        if self.source == TELEGRAM:
            token = TOKEN[::-1] if forged else TOKEN
            return {"X-Telegram-Bot-Api-Secret-Token": token}
        signed = hmac.new(APP_SECRET.encode(), body + b" " * forged, hashlib.sha256).hexdigest()
        return {"X-Hub-Signature-256": f"sha256={signed}"}

    def _telegram(self) -> bytes:
        """https://core.telegram.org/bots/api#update"""
        person = {"id": self.person, "is_bot": False, "first_name": "Анна"}
        message = {
            "message_id": self.number,
            "from": person,
            "chat": {"id": self.person, "type": "private", "first_name": "Анна"},
            "date": 1_795_000_000 + self.number,
            "text": self.text,
        }
        return json.dumps({"update_id": self.number, "message": message}).encode()

    def _whatsapp(self) -> bytes:
        """https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks"""
        number = f"7900{self.person:07}"
        message = {
            "from": number,
            "id": f"wamid.{self.number}",
            "timestamp": str(1_795_000_000 + self.number),
            "type": "text",
            "text": {"body": self.text},
        }
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "79000000000", "phone_number_id": "1"},
            "contacts": [{"profile": {"name": "Анна"}, "wa_id": number}],
            "messages": [message],
        }
        changes = [{"value": value, "field": "messages"}]
        delivery = {
            "object": "whatsapp_business_account",
            "entry": [{"id": "0", "changes": changes}],
        }
        return json.dumps(delivery).encode()


@dataclass
class Report:
    """What came of it: answers by status, of the genuine and of the forged ones."""

    events: list[Event]
    deliveries: int
    seconds: float = 0
    genuine: Counter[int] = field(default_factory=Counter)
    forged: Counter[int] = field(default_factory=Counter)

    @property
    def conversations(self) -> int:
        return len({(each.source, each.person) for each in self.events})

    def show(self) -> None:
        rate = self.deliveries / self.seconds
        print(
            f"{self.deliveries} deliveries of {len(self.events)} events in {self.conversations}"
            f" conversations: {self.seconds:.1f} s, {rate:.0f} a second;"
            f" answers {dict(self.genuine)}, to forged ones {dict(self.forged)}"
        )


def storm(port: int, deliveries: int, *, seed: int = 0) -> Report:
    """Let all clients loose; whoever is told 503 sends again, as the channels do."""
    draw = random.Random(seed)
    count = round(deliveries * (1 - REDELIVERED))
    people = max(1, count // MESSAGES)
    events = [
        Event(draw.choice([TELEGRAM, WHATSAPP]), 1 + draw.randrange(people), number)
        for number in range(1, count + 1)
    ]
    sent = events + draw.choices(events, k=deliveries - count)
    draw.shuffle(sent)
    report, waiting, lock = Report(events, len(sent)), iter(sent), threading.Lock()

    def work() -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for event in _shared(waiting, lock):
            if event.number % FORGED_EVERY == 0:
                tell(report.forged, _send(client, event, forged=True))
            while True:
                status = _send(client, event)
                tell(report.genuine, status)
                if status != 503:
                    break
        client.close()

    def tell(counts: Counter[int], status: int) -> None:
        with lock:
            counts[status] += 1

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    since = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report.seconds = time.monotonic() - since
    return report


def _shared(events: Iterator[Event], lock: threading.Lock) -> Iterator[Event]:
    while True:
        with lock:
            event = next(events, None)
        if event is None:
            return
        yield event


def _send(client: http.client.HTTPConnection, event: Event, *, forged: bool = False) -> int:
    body = event.body()
    headers = {"Content-Type": "application/json", **event.headers(body, forged=forged)}
    client.request("POST", f"/sources/{event.source}/webhook", body, headers)
    answer = client.getresponse()
    answer.read()
    return answer.status
