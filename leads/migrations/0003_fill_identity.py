from django.conf import settings
from django.db import migrations, transaction

from leads.identity import normalised_email, normalised_phone

BATCH = 1000
UPDATE = "UPDATE leads_lead SET phone_e164 = %s, email_key = %s WHERE id = %s"


def fill(apps, schema_editor):
    """Piece by piece, so that neither memory nor a lock grows with the table; again is no harm."""
    leads = apps.get_model("leads", "Lead").objects.order_by("pk")
    rows, last = leads.values_list("pk", "phone", "email"), 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        keys = [
            (normalised_phone(phone, region=settings.PHONE_REGION), normalised_email(email), pk)
            for pk, phone, email in batch
        ]
        with transaction.atomic(), schema_editor.connection.cursor() as cursor:
            cursor.executemany(UPDATE, [each for each in keys if each[0] or each[1]])
        last = batch[-1][0]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("leads", "0002_identity_and_merging")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
