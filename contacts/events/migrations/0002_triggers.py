from django.db import migrations

from contacts.events import triggers


def install(apps, schema_editor):
    triggers.install(schema_editor)


def remove(apps, schema_editor):
    triggers.remove(schema_editor)


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0001_events"),
        ("contacts", "0022_message"),
        ("leads", "0007_no_index_of_beginnings"),
        ("operators", "0004_groups"),
    ]

    operations = [migrations.RunPython(install, remove)]
