from django.db import migrations
from django.db.models import F


def fill(apps, schema_editor):
    """Who waits already has done so since arrival."""
    waiting = apps.get_model("contacts", "Contact").objects.filter(operator=None)
    waiting.exclude(status="closed").update(waiting_since=F("created_at"))


class Migration(migrations.Migration):
    dependencies = [("contacts", "0002_contact_waiting_since")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
