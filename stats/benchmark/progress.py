"""How far a long work has come."""

from typing import TextIO

WIDTH = 30


class Progress:
    """A bar on a terminal; elsewhere a line at each tenth."""

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
