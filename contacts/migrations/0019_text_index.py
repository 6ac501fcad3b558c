import sys

from django.db import migrations

from contacts import text_index

ADVICE = """
A search by a part of a text will read the rows one by one: there is no index of trigrams.
On PostgreSQL: the role may not create the extension pg_trgm. Let an administrator run, in this
database, CREATE EXTENSION pg_trgm; and then run: manage.py migrate contacts 0018, manage.py migrate.
On SQLite: this one is older than 3.34 or made without FTS5. Nothing else depends on it.
"""


def install(apps, schema_editor):
    for index in text_index.INDEXES:
        if not text_index.install(index, schema_editor):
            sys.stderr.write(ADVICE)
            return


def remove(apps, schema_editor):
    for index in text_index.INDEXES:
        text_index.remove(index, schema_editor)


class Migration(migrations.Migration):
    dependencies = [("contacts", "0018_open_by_source"), ("leads", "0005_erasing")]

    operations = [migrations.RunPython(install, remove)]
