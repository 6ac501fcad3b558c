"""The groups of people who use the back office, with their permissions.

Django makes permissions after the last migration only, so those needed are made here, as Django
would make them.
"""

from django.db import migrations

TEAM_LEAD = "Руководитель"
OPERATOR = "Оператор"
ACTIONS = {
    TEAM_LEAD: {
        "operators.operator": ["view", "add", "change", "delete"],
        "operators.shift": ["view", "add", "change", "delete"],
        "operators.dayoff": ["view", "add", "change", "delete"],
        "sources.source": ["view", "add", "change", "delete"],
        "sources.assignment": ["view", "add", "change", "delete"],
        "leads.lead": ["view", "add", "change", "delete"],
        "contacts.contact": ["view", "add", "change"],
        "contacts.decisionrecord": ["view"],
        "audit.change": ["view"],
        "auth.user": ["view", "add", "change"],
    },
    OPERATOR: {
        "leads.lead": ["view"],
        "contacts.contact": ["view", "change"],
    },
}


def make_groups(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects
    for name, models in ACTIONS.items():
        group, _created = groups.get_or_create(name=name)
        for label, actions in models.items():
            group.permissions.add(*(permission(apps, label, action) for action in actions))


def permission(apps, label, action):
    options = apps.get_model(label)._meta
    content_type, _created = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=options.app_label, model=options.model_name
    )
    found, _created = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type,
        codename=f"{action}_{options.model_name}",
        defaults={"name": f"Can {action} {options.verbose_name_raw}"},
    )
    return found


def remove_groups(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=ACTIONS).delete()


class Migration(migrations.Migration):

    dependencies = [
        ("operators", "0003_hours"),
        ("audit", "0001_change"),
        ("sources", "0002_distribution"),
        ("leads", "0001_lead"),
        ("contacts", "0007_idempotency_key"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.RunPython(make_groups, remove_groups),
    ]
