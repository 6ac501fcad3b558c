"""What `manage.py benchmark` may be told."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable

from stats.benchmark.filling import PER_DAY, SOURCES

FEWEST_CONTACTS, MOST_CONTACTS = 1_000, 20_000_000
SIZES = [10_000, 1_000_000, 10_000_000]
SUBCOMMANDS = {
    "fill": "fill an EMPTY database, for lists, stats and admin to measure at",
    "intake": "POST /contacts by many connections at once, in a database of its own",
    "mix": "of 100 requests 60 POST, 25 closes, 10 first pages, 5 /stats, in a database of its own",
    "lists": "every list of the API, first and deep pages, searches, single objects",
    "stats": "/stats, /stats/sources/{id} and the dashboard",
    "admin": "every page of the back office",
    "scale": "intake, lists and stats at several sizes, in databases of its own, and their ratios",
    "import": "import contacts from a file of so many rows, in a database of its own",
}

# What a figure depends on.
CHOSEN = (
    *("contacts", "sizes", "per_day", "seed", "connections", "seconds", "requests", "sources"),
    *("rounds", "repeats", "rows"),
)


def add_to(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    added = {
        name: commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        for name, text in SUBCOMMANDS.items()
    }

    def number(
        names: str, option: str, default: int | None, within: tuple[int, int], text: str
    ) -> None:
        least, most = within
        for name in names.split():
            added[name].add_argument(
                option,
                type=_between(least, most),
                default=default,
                metavar="N",
                help=f"{text}: {least} to {most}"
                + (f" ({default})" if default is not None else ""),
            )

    filling, some = "fill intake mix scale import", (FEWEST_CONTACTS, MOST_CONTACTS)
    number(filling, "--seed", 1, (0, 2**31), "the same makes the same contacts")
    number(filling, "--per-day", PER_DAY, (1, 10**7), "contacts a day, up to now")
    number("fill", "--contacts", 1_000_000, some, "contacts")
    there = "contacts that are there before"
    number("intake mix import", "--contacts", 10_000, some, there)
    number("intake mix scale", "--connections", 16, (1, 500), "each sends one after the other")
    number("intake mix scale", "--seconds", 10, (1, 86_400), "after up to 2 s to warm up")
    number("intake mix", "--requests", None, (1, 10**8), "so many, however long they take")
    number("mix", "--sources", 1, (1, SOURCES - 1), "to which the contacts come")
    asked = "requests for each address; fewer where they take 10 s together"
    number("lists stats admin scale", "--repeats", 20, (1, 1_000), asked)
    in_turns = "in turns, where several are compared; of them medians are told"
    number("intake scale", "--rounds", 3, (1, 100), in_turns)
    number("import", "--rows", 100_000, (1, MOST_CONTACTS), "contacts in the file")
    added["scale"].add_argument(
        "--sizes",
        type=_numbers(FEWEST_CONTACTS, MOST_CONTACTS),
        default=SIZES,
        metavar="N,N,...",
        help=f"contacts ({','.join(map(str, SIZES))})",
    )
    added["intake"].add_argument(
        "--sources",
        type=_numbers(1, SOURCES - 1),
        default=[1],
        metavar="N,N,...",
        help=f"to which the contacts come, several to compare them: 1 to {SOURCES - 1} (1)",
    )
    added["intake"].add_argument(
        "--against",
        metavar="URL",
        help="compare with a database of its own beside this one, such as sqlite:///var/db.sqlite3",
    )
    for name in SUBCOMMANDS.keys() - {"fill"}:
        added[name].add_argument(
            "--json",
            nargs="?",
            const="-",
            metavar="FILE",
            help="for a program to compare: into the file, or instead of the table",
        )


def _between(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ArgumentTypeError(f"give a whole number from {least} to {most}, not {text!r}")
        return int(text)

    return read


def _numbers(least: int, most: int) -> Callable[[str], list[int]]:
    read = _between(least, most)
    return lambda text: sorted({read(each) for each in text.split(",")})
