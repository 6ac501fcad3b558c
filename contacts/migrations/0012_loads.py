"""The loads of operators, and the triggers that keep them from then on.

What writes while an older version still serves is counted too: triggers ask nobody.
"""

import django.db.models.deletion
from django.db import migrations, models

FILL = """
    INSERT INTO contacts_load (operator_id, open_contacts)
    SELECT operator_id, count(*) FROM contacts_contact
    WHERE operator_id IS NOT NULL AND closed_at IS NULL
    GROUP BY operator_id
"""

POSTGRESQL = [
    # Whoever writes contacts waits for the end of this: none may come in between uncounted.
    "LOCK TABLE contacts_contact IN SHARE ROW EXCLUSIVE MODE",
    FILL,
    # Once for each statement, as many contacts may come in one.
    """
    CREATE FUNCTION contacts_load_of_new() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO contacts_load AS kept (operator_id, open_contacts)
      SELECT operator_id, count(*) FROM arrived
      WHERE operator_id IS NOT NULL AND closed_at IS NULL
      GROUP BY operator_id ORDER BY operator_id
      ON CONFLICT (operator_id)
      DO UPDATE SET open_contacts = kept.open_contacts + excluded.open_contacts;
      RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION contacts_load_of_moved() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.operator_id IS NOT NULL AND OLD.closed_at IS NULL THEN
        UPDATE contacts_load SET open_contacts = open_contacts - 1
        WHERE operator_id = OLD.operator_id;
      END IF;
      IF TG_OP = 'UPDATE' THEN
        IF NEW.operator_id IS NOT NULL AND NEW.closed_at IS NULL THEN
          INSERT INTO contacts_load AS kept (operator_id, open_contacts)
          VALUES (NEW.operator_id, 1)
          ON CONFLICT (operator_id) DO UPDATE SET open_contacts = kept.open_contacts + 1;
        END IF;
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER contact_load_insert AFTER INSERT ON contacts_contact
    REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION contacts_load_of_new()
    """,
    """
    CREATE TRIGGER contact_load_update AFTER UPDATE OF operator_id, closed_at ON contacts_contact
    FOR EACH ROW WHEN (
      OLD.operator_id IS DISTINCT FROM NEW.operator_id
      OR (OLD.closed_at IS NULL) <> (NEW.closed_at IS NULL)
    ) EXECUTE FUNCTION contacts_load_of_moved()
    """,
    """
    CREATE TRIGGER contact_load_delete AFTER DELETE ON contacts_contact
    FOR EACH ROW WHEN (OLD.operator_id IS NOT NULL AND OLD.closed_at IS NULL)
    EXECUTE FUNCTION contacts_load_of_moved()
    """,
]

ONE_MORE = """
      INSERT INTO contacts_load (operator_id, open_contacts)
      SELECT NEW.operator_id, 1 WHERE NEW.operator_id IS NOT NULL AND NEW.closed_at IS NULL
      ON CONFLICT (operator_id) DO UPDATE SET open_contacts = open_contacts + 1;
"""
ONE_LESS = """
      UPDATE contacts_load SET open_contacts = open_contacts - 1
      WHERE operator_id = OLD.operator_id AND OLD.closed_at IS NULL;
"""
SQLITE = [
    FILL,
    f"CREATE TRIGGER contact_load_insert AFTER INSERT ON contacts_contact BEGIN {ONE_MORE} END",
    f"""
    CREATE TRIGGER contact_load_update AFTER UPDATE OF operator_id, closed_at ON contacts_contact
    WHEN OLD.operator_id IS NOT NEW.operator_id
      OR (OLD.closed_at IS NULL) <> (NEW.closed_at IS NULL)
    BEGIN {ONE_LESS} {ONE_MORE} END
    """,
    f"CREATE TRIGGER contact_load_delete AFTER DELETE ON contacts_contact BEGIN {ONE_LESS} END",
]

AWAY = [
    "DROP TRIGGER contact_load_insert ON contacts_contact",
    "DROP TRIGGER contact_load_update ON contacts_contact",
    "DROP TRIGGER contact_load_delete ON contacts_contact",
    "DROP FUNCTION contacts_load_of_new",
    "DROP FUNCTION contacts_load_of_moved",
]
AWAY_ON_SQLITE = [each.removesuffix(" ON contacts_contact") for each in AWAY[:3]]


def make(apps, schema_editor):
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    for statement in POSTGRESQL if on_postgresql else SQLITE:
        schema_editor.execute(statement, params=None)


def take_away(apps, schema_editor):
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    for statement in AWAY if on_postgresql else AWAY_ON_SQLITE:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0011_open_without_a_parameter"),
        ("operators", "0004_groups"),
    ]

    operations = [
        migrations.CreateModel(
            name="Load",
            fields=[
                (
                    "operator",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="load",
                        serialize=False,
                        to="operators.operator",
                        verbose_name="operator",
                    ),
                ),
                ("open_contacts", models.IntegerField(verbose_name="open contacts")),
            ],
            options={"verbose_name": "load", "verbose_name_plural": "loads", "ordering": ["pk"]},
        ),
        migrations.RunPython(make, take_away),
    ]
