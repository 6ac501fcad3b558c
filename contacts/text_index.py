"""Finds parts of texts without reading all of them: a copy of the texts by their trigrams.

Whoever creates a row does nothing for it: the clock copies what is new, up to a mark, as it adds up
the tallies, and what lies beyond the mark is read itself. What changes later, or is deleted, the
database changes in the copy, too: an erased text is in neither.
On PostgreSQL it is a table with an index of the extension pg_trgm, on SQLite one of FTS5. Where
neither can be had there is no copy, and a search reads the rows, the newest first.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import Model

from contacts.models import Contact
from contacts.tally import marks
from contacts.tally.folding import in_turns
from contacts.tally.models import Mark
from crm_project.errors import Busy
from crm_project.faults import fault_of
from leads.models import Lead

# Fewer letters have no trigram.
SHORTEST = 3
# Fewer are as quickly read themselves.
LEAST, AT_ONCE = 1_000, 5_000
# Whoever changes several texts at once might wait for us, and we for them. How long, at most.
PATIENCE = "100ms"
# What a mark has `seen` on SQLite, which has no other use for it, when texts have been erased.
ERASED = -1


@dataclass(frozen=True, slots=True)
class TextIndex:
    """The copy of some columns of a model; `name` is that of its mark."""

    name: str
    model: type[Model]
    columns: tuple[str, ...]

    @property
    def base(self) -> str:
        return self.model._meta.db_table

    @property
    def table(self) -> str:
        return f"{self.base}_text"

    @property
    def triggers(self) -> set[str]:
        return {f"{self.table}_update", f"{self.table}_delete"}

    def text(self, row: str = "") -> str:
        return " || '\n' || ".join(f"{row}{column}" for column in self.columns)


MESSAGES = TextIndex("messages", Contact, ("message",))
PEOPLE = TextIndex("people", Lead, ("name", "external_id", "phone", "phone_e164", "email"))
INDEXES = (MESSAGES, PEOPLE)

KEY = {"postgresql": "id", "sqlite": "rowid"}
EXISTS = {
    "postgresql": "SELECT 1 FROM pg_class WHERE oid = to_regclass(%s)",
    "sqlite": "SELECT 1 FROM sqlite_master WHERE name = %s",
}
TABLE = {
    "postgresql": [
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        "CREATE TABLE {table} (id bigint PRIMARY KEY, text text NOT NULL)",
        "CREATE INDEX {table}_parts ON {table} USING gin (text gin_trgm_ops)",
    ],
    "sqlite": ["CREATE VIRTUAL TABLE {table} USING fts5(text, tokenize = 'trigram')"],
}
TRIGGERS = {
    "postgresql": [
        "CREATE FUNCTION {table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF TG_OP = 'TRUNCATE' THEN TRUNCATE {table};"
        " ELSIF TG_OP = 'DELETE' THEN DELETE FROM {table} WHERE id = OLD.id;"
        " ELSE INSERT INTO {table} (id, text) VALUES (NEW.id, {new})"
        " ON CONFLICT (id) DO UPDATE SET text = EXCLUDED.text; END IF; RETURN NULL; END $$",
        "CREATE TRIGGER {table}_update AFTER UPDATE OF {columns} ON {base} FOR EACH ROW"
        " WHEN ({old} IS DISTINCT FROM {new}) EXECUTE FUNCTION {table}()",
        "CREATE TRIGGER {table}_truncate AFTER TRUNCATE ON {base} EXECUTE FUNCTION {table}()",
        "CREATE TRIGGER {table}_delete AFTER DELETE ON {base} FOR EACH ROW"
        " EXECUTE FUNCTION {table}()",
    ],
    "sqlite": [
        "CREATE TRIGGER IF NOT EXISTS {table}_update AFTER UPDATE OF {columns} ON {base}"
        " WHEN {old} IS NOT {new}"
        " BEGIN UPDATE {table} SET text = {new} WHERE rowid = NEW.id; END",
        "CREATE TRIGGER IF NOT EXISTS {table}_delete AFTER DELETE ON {base}"
        " BEGIN DELETE FROM {table} WHERE rowid = OLD.id; END",
    ],
}
# What a trigger has put there is newer than what we see.
COPY = {
    "postgresql": "INSERT INTO {table} (id, text) SELECT id, {text} FROM {base}"
    " WHERE id > %s AND id <= %s ORDER BY id ON CONFLICT (id) DO NOTHING",
    "sqlite": "INSERT OR REPLACE INTO {table} (rowid, text) SELECT id, {text} FROM {base}"
    " WHERE id > %s AND id <= %s",
}
FIND = {
    "postgresql": "SELECT id FROM {table} WHERE text ILIKE %s AND id > %s LIMIT %s",
    "sqlite": "SELECT rowid FROM {table} WHERE text MATCH %s AND rowid > %s LIMIT %s",
}
# Read one by one: to find out where a frequent term stands, an index reads all of its places.
FIND_NEWEST = {
    "postgresql": FIND["postgresql"].replace("text ILIKE", "text || '' ILIKE"),
    "sqlite": FIND["sqlite"],
}
# Who goes through the rows soon has a page of what so many of the newest so many have.
FREQUENT, NEWEST = 51, 2_000


def install(index: TextIndex, schema_editor: Any) -> bool:
    """Make the copy, empty, and its triggers; False: the database has nothing for it."""
    try:
        with transaction.atomic(), schema_editor.connection.cursor() as cursor:
            for statement in TABLE[schema_editor.connection.vendor]:
                cursor.execute(filled(statement, index))
            install_triggers(index, schema_editor.connection)
    except DatabaseError:
        return False
    return True


def install_triggers(index: TextIndex, connection: Any) -> None:
    """To be called again by each migration that lets SQLite make the table of the model anew."""
    with connection.cursor() as cursor:
        for statement in TRIGGERS[connection.vendor]:
            cursor.execute(filled(statement, index))


def remove(index: TextIndex, schema_editor: Any) -> None:
    on_base = f" ON {index.base}" if schema_editor.connection.vendor == "postgresql" else ""
    for event in ("update", "delete", "truncate"):
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {index.table}_{event}{on_base}")
    if on_base:
        schema_editor.execute(f"DROP FUNCTION IF EXISTS {index.table}()")
    schema_editor.execute(f"DROP TABLE IF EXISTS {index.table}")


def is_there(index: TextIndex) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(EXISTS[connection.vendor], [index.table])
        return cursor.fetchone() is not None


def keep_up_texts(*, least: int = LEAST, seconds: float = math.inf) -> None:
    """Copy what is new, where it is at least so much; begin nothing after so many seconds."""
    steps = [
        partial(step, index)
        for index in INDEXES
        for step in (_wipe, partial(_copy_new, least=least))
    ]
    in_turns(steps, seconds=seconds)


def wipe_soon() -> None:
    """Let nothing of the texts that this transaction erases be left in the index of trigrams, nor
    in the log of the database.

    FTS5 keeps those of a former text, with their places, until it makes parts of its index anew.
    """
    if connection.vendor == "sqlite":
        Mark.objects.bulk_create(
            [Mark(name=index.name, seen=ERASED) for index in INDEXES],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["seen"],
        )


def _wipe(index: TextIndex) -> int:
    """Make the index anew where something was erased, and then the log of the database. Seconds for
    a million texts.
    """
    if connection.vendor == "sqlite" and Mark.objects.filter(name=index.name, seen=ERASED):
        if is_there(index):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(filled("INSERT INTO {table} ({table}) VALUES ('optimize')", index))
        if connection.empty_log():  # type: ignore[attr-defined]  # our SQLite's
            Mark.objects.filter(name=index.name, seen=ERASED).update(seen=None)
    return 0


def _copy_new(index: TextIndex, least: int) -> int:
    """How many; 0, too, where others are in the way: the next call copies them."""

    def copy(mark: Mark, end: int) -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            cursor.execute(filled(COPY[connection.vendor], index), [mark.up_to, end])

    if not is_there(index):
        return 0
    rows = index.model._default_manager.order_by()
    try:
        return marks.advance(index.name, rows, copy, least=least, at_once=AT_ONCE)
    except OperationalError as error:
        if isinstance(fault_of(error), Busy):
            return 0
        raise


def candidates(index: TextIndex, term: str, *, most: int) -> list[int]:
    """The ids of so many up to the mark that may have the term in one of the columns, in any case:
    in any order, and some that have it across two columns.
    """
    return _found(FIND, index, term, after=0, most=most)


def is_frequent(index: TextIndex, term: str) -> bool:
    """Do many of the newest up to the mark have the term?"""
    after = marks.up_to(index.name) - NEWEST
    return len(_found(FIND_NEWEST, index, term, after=after, most=FREQUENT)) == FREQUENT


def _found(
    find: dict[str, str], index: TextIndex, term: str, *, after: int, most: int
) -> list[int]:
    if connection.vendor == "postgresql":
        escaped = term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        pattern = f"%{escaped}%"
    else:
        pattern = '"' + term.replace('"', '""') + '"'
    with connection.cursor() as cursor:
        cursor.execute(filled(find[connection.vendor], index), [pattern, after, most])
        return [pk for (pk,) in cursor.fetchall()]


def serves(index: TextIndex, term: str) -> bool:
    """Is there a copy, and is the term long enough for it?"""
    return len(term) >= SHORTEST and is_there(index)


def filled(statement: str, index: TextIndex) -> str:
    """The statement with the names of the copy, its model and their columns."""
    return statement.format(
        table=index.table,
        base=index.base,
        columns=", ".join(index.columns),
        text=index.text(),
        old=index.text("OLD."),
        new=index.text("NEW."),
        of_base=index.text(f"{index.base}."),
        key=KEY[connection.vendor],
        same=f"{index.columns[0]} = {index.columns[0]}",
    )
