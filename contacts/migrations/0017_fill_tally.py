from django.db import migrations

from contacts.tally.recounting import count_closed_contacts


def fill(apps, schema_editor):
    """Nobody waits: what is closed meanwhile the triggers add. Draws and leads the clock of the
    service counts, bit by bit; until it has come to the end, the rest is counted at each look.
    """
    count_closed_contacts(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("contacts", "0016_tally_triggers")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
