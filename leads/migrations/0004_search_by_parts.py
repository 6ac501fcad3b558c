from django.db import DatabaseError, migrations, transaction

EXTENSION = "CREATE EXTENSION IF NOT EXISTS pg_trgm"
COLUMNS = ["name", "external_id", "phone", "phone_e164", "email"]


def build(apps, schema_editor):
    """Serve `icontains`, as Django writes it, where PostgreSQL may have the extension.

    Elsewhere a search by a part reads the table, which is slower and no reason not to start.
    """
    if schema_editor.connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(), schema_editor.connection.cursor() as cursor:
            cursor.execute(EXTENSION)
    except DatabaseError:
        return
    parts = ", ".join(f"UPPER({column}::text) gin_trgm_ops" for column in COLUMNS)
    schema_editor.execute(f"CREATE INDEX lead_by_parts ON leads_lead USING gin ({parts})")


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS lead_by_parts")


class Migration(migrations.Migration):
    dependencies = [("leads", "0003_fill_identity")]

    operations = [migrations.RunPython(build, drop)]
