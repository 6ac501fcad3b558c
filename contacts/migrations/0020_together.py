from django.db import migrations

# An operator has the contacts of few sources: taken for independent, PostgreSQL expects so few of
# both that it reads and sorts all there are, instead of the newest until a page is full.
MAKE = [
    "CREATE STATISTICS contact_source_operator (mcv)"
    " ON source_id, operator_id FROM contacts_contact",
    "ALTER STATISTICS contact_source_operator SET STATISTICS 1000",
    "ANALYZE contacts_contact (source_id, operator_id)",
]


def make(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for statement in MAKE:
            schema_editor.execute(statement)


def take_away(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP STATISTICS IF EXISTS contact_source_operator")


class Migration(migrations.Migration):
    dependencies = [("contacts", "0019_text_index")]

    operations = [migrations.RunPython(make, take_away)]
