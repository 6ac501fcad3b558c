"""The database itself writes the outbox, in the transaction of what happens.

So that no writer can forget it: not the bulk import, not a function of the database, not a hand at
the SQL prompt. To who writes while nobody listens it costs a look at a table of few rows.
See docs/decisions/0018-outbox-by-triggers.md.
"""

from typing import Any

from contacts.tally.triggers import installed

NAMES = {
    "contacts_contact": ("contact_event_insert", "contact_event_update"),
    "contacts_message": ("message_event_insert",),
    "leads_lead": ("lead_event_insert",),
}
# An open contact is somebody's or waits, by constraints: one change of a row is one event.
HAPPENED = """CASE
    WHEN NEW.closed_at IS NOT NULL
        THEN CASE WHEN OLD.closed_at IS NULL THEN 'contact.closed' END
    WHEN NEW.waiting_since IS NOT NULL
        THEN CASE WHEN OLD.waiting_since IS NULL THEN 'contact.waiting' END
    WHEN OLD.operator_id <> NEW.operator_id THEN 'contact.reassigned'
    WHEN OLD.operator_id IS NULL OR OLD.closed_at IS NOT NULL THEN 'contact.assigned'
END"""
CHANGED = """(
    (NEW.closed_at IS NULL) <> (OLD.closed_at IS NULL)
    OR (NEW.waiting_since IS NULL) <> (OLD.waiting_since IS NULL)
    OR (NEW.closed_at IS NULL AND NEW.operator_id {differs} OLD.operator_id))"""
# How a new contact stands.
STANDS = """CASE
    WHEN {row}.closed_at IS NOT NULL THEN 'contact.closed'
    WHEN {row}.waiting_since IS NOT NULL THEN 'contact.waiting'
    ELSE 'contact.assigned'
END"""
COLUMNS = """events_delivery (subscription_id, event, contact_id, lead_id, source_id, operator_id,
    operator_name, previous_operator_id, created_at, state, attempts, last_error)"""
# Those are `happened`, one or two in their order; what else it was is `row`.
TOLD = """
    INSERT INTO {columns}
    SELECT listening.id, happened.event, {row}.id, {row}.lead_id, {row}.source_id,
        {row}.operator_id, coalesce(operators_operator.name, ''), {previous}, {now},
        'pending', 0, ''
    FROM {happened}
    JOIN events_subscription AS listening ON listening.is_active
        AND (listening.source_id IS NULL OR listening.source_id = {row}.source_id)
        AND {wanted}
    LEFT JOIN operators_operator ON operators_operator.id = {row}.operator_id
    ORDER BY {row}.id, happened.place, listening.id"""
# One that is merged from the beginning is another id of somebody known.
LEADS = """
    INSERT INTO {columns}
    SELECT listening.id, 'lead.created', NULL, {row}.id, NULL, NULL, '', NULL, {now},
        'pending', 0, ''
    FROM {leads} JOIN events_subscription AS listening ON listening.is_active
        AND listening.source_id IS NULL AND {wanted}
    WHERE {row}.merged_into_id IS NULL
    ORDER BY {row}.id, listening.id"""
# One more in an open contact.
MESSAGE = {
    "row": "written",
    "happened": "(SELECT 1 AS place, 'contact.message_received' AS event) AS happened"
    " JOIN contacts_contact AS written ON written.id = NEW.contact_id",
}
LISTENING = "EXISTS (SELECT 1 FROM events_subscription WHERE is_active)"

FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {listening} THEN {told}; END IF;
    RETURN NULL;
END $$
"""


def install(schema_editor: Any) -> None:
    """Make the triggers; of what has happened already they tell nothing."""
    remove(schema_editor)
    make = _on_postgresql if schema_editor.connection.vendor == "postgresql" else _on_sqlite
    for statement in make():
        schema_editor.execute(statement, params=None)


def remove(schema_editor: Any) -> None:
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    for table, names in NAMES.items():
        for name in names:
            on_table = f" ON {table}" if on_postgresql else ""
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}")
            if on_postgresql:
                schema_editor.execute(f"DROP FUNCTION IF EXISTS {name}()")


def missing() -> list[str]:
    """The names of those that are not there, or switched off."""
    there = set().union(*(installed(table) for table in NAMES))
    return [name for names in NAMES.values() for name in names if name not in there]


def _on_postgresql() -> list[str]:
    """For INSERT once for each statement, as many may come in one."""
    told = {
        "contact_event_insert": _told(
            row="arrived",
            happened="arrived CROSS JOIN LATERAL (VALUES (1, 'contact.created'),"
            f" (2, {STANDS.format(row='arrived')})) AS happened (place, event)",
            wanted="listening.events ? happened.event",
            previous="NULL::bigint",
            now="now()",
        ),
        "contact_event_update": _told(
            row="NEW",
            happened=f"(SELECT 1 AS place, {HAPPENED} AS event) AS happened",
            wanted="listening.events ? happened.event",
            previous="OLD.operator_id",
            now="now()",
        ),
        "message_event_insert": _told(
            **MESSAGE,
            wanted="listening.events ? happened.event",
            previous="NULL::bigint",
            now="now()",
        ),
        "lead_event_insert": LEADS.format(
            columns=COLUMNS,
            row="arrived",
            leads="arrived",
            wanted="listening.events ? 'lead.created'",
            now="now()",
        ),
    }
    functions = [
        FUNCTION.format(name=name, listening=LISTENING, told=each) for name, each in told.items()
    ]
    changed = CHANGED.format(differs="IS DISTINCT FROM")
    return [
        *functions,
        "CREATE TRIGGER contact_event_insert AFTER INSERT ON contacts_contact REFERENCING NEW TABLE"
        " AS arrived FOR EACH STATEMENT EXECUTE FUNCTION contact_event_insert()",
        "CREATE TRIGGER contact_event_update AFTER UPDATE OF operator_id, waiting_since, closed_at"
        f" ON contacts_contact FOR EACH ROW WHEN {changed}"
        " EXECUTE FUNCTION contact_event_update()",
        "CREATE TRIGGER message_event_insert AFTER INSERT ON contacts_message FOR EACH ROW"
        " EXECUTE FUNCTION message_event_insert()",
        "CREATE TRIGGER lead_event_insert AFTER INSERT ON leads_lead REFERENCING NEW TABLE"
        " AS arrived FOR EACH STATEMENT EXECUTE FUNCTION lead_event_insert()",
    ]


def _on_sqlite() -> list[str]:
    # As Django writes a moment.
    now = "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'"
    wanted = "EXISTS (SELECT 1 FROM json_each(listening.events) WHERE value = {event})"
    created = _told(
        row="NEW",
        happened="(SELECT 1 AS place, 'contact.created' AS event"
        f" UNION ALL SELECT 2, {STANDS.format(row='NEW')}) AS happened",
        wanted=wanted.format(event="happened.event"),
        previous="NULL",
        now=now,
    )
    changed = _told(
        row="NEW",
        happened=f"(SELECT 1 AS place, {HAPPENED} AS event) AS happened",
        wanted=wanted.format(event="happened.event"),
        previous="OLD.operator_id",
        now=now,
    )
    written = _told(
        **MESSAGE, wanted=wanted.format(event="happened.event"), previous="NULL", now=now
    )
    leads = LEADS.format(
        columns=COLUMNS,
        row="NEW",
        leads="(SELECT 1) AS one",
        wanted=wanted.format(event="'lead.created'"),
        now=now,
    )
    return [
        "CREATE TRIGGER contact_event_insert AFTER INSERT ON contacts_contact"
        f" WHEN {LISTENING} BEGIN {created}; END",
        "CREATE TRIGGER contact_event_update AFTER UPDATE OF operator_id, waiting_since, closed_at"
        f" ON contacts_contact WHEN {CHANGED.format(differs='IS NOT')} AND {LISTENING}"
        f" BEGIN {changed}; END",
        f"CREATE TRIGGER message_event_insert AFTER INSERT ON contacts_message WHEN {LISTENING}"
        f" BEGIN {written}; END",
        f"CREATE TRIGGER lead_event_insert AFTER INSERT ON leads_lead WHEN {LISTENING}"
        f" BEGIN {leads}; END",
    ]


def _told(**parts: str) -> str:
    return TOLD.format(columns=COLUMNS, **parts)
