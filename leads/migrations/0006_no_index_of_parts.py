from django.db import migrations


def drop(apps, schema_editor):
    """It cost each new lead more than the rest of its row; `contacts.text_index` does it later."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX CONCURRENTLY IF EXISTS lead_by_parts")


class Migration(migrations.Migration):
    atomic = False

    # Whoever searches meanwhile has the copy already.
    dependencies = [("leads", "0005_erasing"), ("contacts", "0019_text_index")]

    operations = [migrations.RunPython(drop, migrations.RunPython.noop)]
