"""The database itself tells when a contact becomes closed, or what is closed changes.

So that no writer can forget it: not `queryset.update`, not a hand at the SQL prompt. To a contact
that is open before and after it costs a comparison, and nobody waits for anybody: each adds a row.
"""

from typing import Any

from django.db import connection

NAMES = ("contact_tally_insert", "contact_tally_update", "contact_tally_delete")

FUNCTION = """
CREATE OR REPLACE FUNCTION contact_tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        IF OLD.closed_at IS NOT NULL THEN
            INSERT INTO contacts_contacttally (span, start, source_id, operator_id, count)
            VALUES ('fresh', (OLD.created_at AT TIME ZONE 'UTC')::date, OLD.source_id,
                OLD.operator_id, -1);
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        IF NEW.closed_at IS NOT NULL THEN
            INSERT INTO contacts_contacttally (span, start, source_id, operator_id, count)
            VALUES ('fresh', (NEW.created_at AT TIME ZONE 'UTC')::date, NEW.source_id,
                NEW.operator_id, 1);
        END IF;
    END IF;
    RETURN NULL;
END $$
"""
# On SQLite a moment is a text in UTC that begins with its day.
ROW = """
    INSERT INTO contacts_contacttally (span, start, source_id, operator_id, count)
    SELECT 'fresh', substr({row}.created_at, 1, 10), {row}.source_id, {row}.operator_id, {count}
    WHERE {row}.closed_at IS NOT NULL;
"""
EVENTS = {
    "insert": ("INSERT", "NEW.closed_at IS NOT NULL", ["NEW"]),
    "update": (
        "UPDATE OF closed_at, operator_id, source_id, created_at",
        "(OLD.closed_at IS NOT NULL OR NEW.closed_at IS NOT NULL)"
        " AND ((OLD.closed_at IS NULL) <> (NEW.closed_at IS NULL)"
        " OR OLD.source_id <> NEW.source_id OR OLD.created_at <> NEW.created_at"
        " OR OLD.operator_id {differs} NEW.operator_id)",
        ["OLD", "NEW"],
    ),
    "delete": ("DELETE", "OLD.closed_at IS NOT NULL", ["OLD"]),
}
INSTALLED = {
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled <> 'D'",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s",
}


def install(schema_editor: Any) -> None:
    """Make the triggers; of what is closed already they tell nothing.

    To be called again by each migration that lets SQLite make the table of contacts anew.
    """
    remove(schema_editor)
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FUNCTION)
    for event in EVENTS:
        schema_editor.execute(_trigger(event, schema_editor.connection.vendor))


def remove(schema_editor: Any) -> None:
    on_table = " ON contacts_contact" if schema_editor.connection.vendor == "postgresql" else ""
    for name in NAMES:
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}")
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION IF EXISTS contact_tally()")


def missing() -> list[str]:
    """The names of those that are not there, or switched off."""
    there = installed("contacts_contact")
    return [name for name in NAMES if name not in there]


def installed(table: str) -> set[str]:
    """The names of all triggers of the table that are not switched off."""
    with connection.cursor() as cursor:
        cursor.execute(INSTALLED[connection.vendor], [table])
        return {name for (name,) in cursor.fetchall()}


def _trigger(event: str, vendor: str) -> str:
    when, condition, rows = EVENTS[event]
    if vendor == "postgresql":
        condition = condition.format(differs="IS DISTINCT FROM")
        body = "EXECUTE FUNCTION contact_tally()"
    else:
        condition = condition.format(differs="IS NOT")
        counts = {"OLD": -1, "NEW": 1}
        body = "".join(ROW.format(row=row, count=counts[row]) for row in rows)
        body = f"BEGIN {body} END"
    return (
        f"CREATE TRIGGER contact_tally_{event} AFTER {when} ON contacts_contact"
        f" FOR EACH ROW WHEN ({condition}) {body}"
    )
