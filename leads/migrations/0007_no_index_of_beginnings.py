from django.db import migrations

FIND = """
    SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'leads_lead'::regclass
    AND indexrelid::regclass::text LIKE 'leads\\_lead\\_external\\_id\\_%\\_like'
"""


def drop(apps, schema_editor):
    """Django makes it with each unique text; nobody looks for how an external id begins."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(FIND)
        for (name,) in cursor.fetchall():
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("leads", "0006_no_index_of_parts")]

    operations = [migrations.RunPython(drop, migrations.RunPython.noop)]
