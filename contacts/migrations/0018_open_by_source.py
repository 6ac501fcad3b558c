from django.db import migrations, models

from crm_project.migrating import AddIndexQuietly, RemoveIndexQuietly


class Migration(migrations.Migration):
    # The new one first: it serves what the old one did, for the version before, too.
    atomic = False

    dependencies = [("contacts", "0017_fill_tally")]

    operations = [
        AddIndexQuietly(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", True)),
                fields=["source", "assigned_at"],
                name="contact_open_by_source",
            ),
        ),
        AddIndexQuietly(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", True)),
                fields=["created_at", "id"],
                name="contact_open_by_age",
            ),
        ),
        RemoveIndexQuietly(model_name="contact", name="contact_untaken"),
    ]
