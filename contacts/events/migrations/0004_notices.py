"""Ways to tell operators of their contacts, which team leads may set up."""

from django.db import migrations, models

TEAM_LEAD = "Руководитель"


def allow(apps, schema_editor):
    group, _created = apps.get_model("auth", "Group").objects.get_or_create(name=TEAM_LEAD)
    group.permissions.add(*permissions(apps))


def forbid(apps, schema_editor):
    for group in apps.get_model("auth", "Group").objects.filter(name=TEAM_LEAD):
        group.permissions.remove(*permissions(apps))


def permissions(apps):
    """As Django would make them, which does so only after all migrations."""
    content_type, _created = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="events", model="operatornotice"
    )
    for action in ("view", "add", "change", "delete"):
        found, _created = apps.get_model("auth", "Permission").objects.get_or_create(
            content_type=content_type,
            codename=f"{action}_operatornotice",
            defaults={"name": f"Can {action} notices to operators"},
        )
        yield found


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0003_team_lead'),
    ]

    operations = [
        migrations.CreateModel(
            name='OperatorNotice',
            fields=[
            ],
            options={
                'verbose_name': 'notices to operators',
                'verbose_name_plural': 'notices to operators',
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('events.subscription',),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='last_error',
            field=models.CharField(blank=True, choices=[('timeout', 'no answer in time'), ('refused', 'the connection was refused'), ('unreachable', 'the connection failed'), ('no_such_name', 'there is no such host'), ('tls', 'no trusted connection by TLS'), ('bad_address', 'this is no address of http or https'), ('forbidden_address', 'the address is in a network that is not allowed'), ('plain_http', 'the address must begin with https'), ('no_http', 'the answer was no HTTP'), ('status', 'the receiver answered with an error'), ('ours', 'an error of this service, which the log tells of'), ('recipient', 'this recipient cannot be written to'), ('secret', 'the secret cannot be read: make a new one')], max_length=200, verbose_name='last error'),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='kind',
            field=models.CharField(choices=[('webhook', 'webhook'), ('telegram', 'Telegram'), ('email', 'e-mail')], default='webhook', max_length=20, verbose_name='kind'),
        ),
        migrations.RunPython(allow, forbid),
    ]
