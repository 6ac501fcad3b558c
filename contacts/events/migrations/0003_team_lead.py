"""Lets team leads see and change who is told of events, and send what was given up again."""

from django.db import migrations

TEAM_LEAD = "Руководитель"
ACTIONS = {"Subscription": ["view", "add", "change", "delete"], "Delivery": ["view", "change"]}


def allow(apps, schema_editor):
    group, _created = apps.get_model("auth", "Group").objects.get_or_create(name=TEAM_LEAD)
    group.permissions.add(*permissions(apps))


def forbid(apps, schema_editor):
    for group in apps.get_model("auth", "Group").objects.filter(name=TEAM_LEAD):
        group.permissions.remove(*permissions(apps))


def permissions(apps):
    """As Django would make them, which does so only after all migrations."""
    made = apps.get_model("auth", "Permission").objects
    types = apps.get_model("contenttypes", "ContentType").objects
    for model, actions in ACTIONS.items():
        options = apps.get_model("events", model)._meta
        content_type, _created = types.get_or_create(
            app_label=options.app_label, model=options.model_name
        )
        for action in actions:
            found, _created = made.get_or_create(
                content_type=content_type,
                codename=f"{action}_{options.model_name}",
                defaults={"name": f"Can {action} {options.verbose_name_raw}"},
            )
            yield found


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0002_triggers"),
        ("operators", "0004_groups"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(allow, forbid)]
