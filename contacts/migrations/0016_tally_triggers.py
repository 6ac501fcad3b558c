from django.db import migrations

from contacts.tally import triggers


def install(apps, schema_editor):
    triggers.install(schema_editor)


def remove(apps, schema_editor):
    triggers.remove(schema_editor)


class Migration(migrations.Migration):
    dependencies = [("contacts", "0015_tally")]

    operations = [migrations.RunPython(install, remove)]
