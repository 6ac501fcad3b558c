"""What a service answers, and how soon."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """`seconds` it took; `text` is its body."""

    status: int
    headers: dict[str, str]
    text: str
    seconds: float

    @property
    def code(self) -> str:
        return str(json.loads(self.text)["errors"][0]["code"])


def ask(
    url: str, body: Any = None, *, headers: dict[str, str] | None = None, seconds: float = 30
) -> Answer:
    """A GET, or with a body a POST of JSON; raises OSError where nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data, {"Content-Type": "application/json", **(headers or {})}
    )
    since = time.monotonic()
    try:
        answer = urllib.request.urlopen(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        text = answer.read().decode(errors="replace")
    return Answer(answer.status, dict(answer.headers), text, time.monotonic() - since)


def ask_all(urls: list[str]) -> list[Answer]:
    """All at once; the answers in the order of the addresses."""
    with ThreadPoolExecutor(len(urls)) as pool:
        return list(pool.map(ask, urls))


def until(true: Callable[[], bool], *, seconds: float) -> float:
    """Ask again until it is so; how long that took. Raises TimeoutError."""
    since = time.monotonic()
    while not true():
        if time.monotonic() - since > seconds:
            raise TimeoutError
        time.sleep(0.1)
    return time.monotonic() - since
