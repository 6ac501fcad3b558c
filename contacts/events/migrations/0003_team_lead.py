"""Lets team leads see and change who is told of events, and send what was given up again."""

from django.db import migrations

from crm_project.granting import granting

ACTIONS = {"Subscription": ["view", "add", "change", "delete"], "Delivery": ["view", "change"]}
allow, forbid = granting("Руководитель", "events", ACTIONS)


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0002_triggers"),
        ("operators", "0004_groups"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(allow, forbid)]
