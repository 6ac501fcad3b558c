"""Ways to tell operators of their contacts, which team leads may set up."""

from django.db import migrations, models

from crm_project.granting import granting

ACTIONS = {"OperatorNotice": ["view", "add", "change", "delete"]}
allow, forbid = granting("Руководитель", "events", ACTIONS)


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
