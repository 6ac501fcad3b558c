"""How far a long work has come."""

from collections.abc import Callable
from typing import TextIO

WIDTH = 30
# Is told of what how much of how much is done.
Progress = Callable[[str, int, int], None]


def silent(what: str, done: int, whole: int) -> None:
    """Tell nobody."""


class Bar:
    """One on a terminal; elsewhere a line at each tenth."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.shown: tuple[str, int] | None = None

    def __call__(self, what: str, done: int, whole: int) -> None:
        if self.stream.isatty():
            bar = "#" * (WIDTH * done // whole)
            self.stream.write(f"\r{what:<10} [{bar:<{WIDTH}}] {100 * done // whole:>3} %")
            self.stream.write("\n" if done == whole else "")
            self.stream.flush()
        elif self.shown != (tenth := (what, 10 * done // whole)):
            self.shown = tenth
            self.stream.write(f"{what}: {done} of {whole}\n")
            self.stream.flush()
