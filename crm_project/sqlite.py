"""What SQLite lacks beside PostgreSQL."""

import re
from functools import lru_cache
from typing import Any


def fold_case_of_every_script(sender: Any, connection: Any, **kwargs: Any) -> None:
    """Let LIKE, and with it `icontains`, ignore the case of Cyrillic too.

    SQLite's own LIKE folds ASCII only; replacing it is how its documentation says to change that
    (https://sqlite.org/lang_corefunc.html#like). PostgreSQL folds every script by itself.
    """
    if connection.vendor == "sqlite":
        for arguments in (2, 3):
            connection.connection.create_function("like", arguments, like, deterministic=True)


def like(pattern: str | None, value: Any, escape: str = "\\") -> bool | None:
    """SQL's `value LIKE pattern ESCAPE escape`, ignoring case; NULL where either is NULL."""
    if pattern is None or value is None:
        return None
    return _compile(pattern, escape).fullmatch(str(value).casefold()) is not None


@lru_cache(maxsize=256)
def _compile(pattern: str, escape: str) -> re.Pattern[str]:
    expression, rest = "", iter(pattern)
    for character in rest:
        if character == escape:
            expression += re.escape(next(rest, "").casefold())
        else:
            expression += {"%": ".*", "_": "."}.get(character) or re.escape(character.casefold())
    return re.compile(expression, re.DOTALL)
