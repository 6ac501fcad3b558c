import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('sources', '0003_response_timeout'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Who uses it, e.g. “Telegram bot”. The history tells it by this name.', max_length=100, verbose_name='title')),
                ('prefix', models.CharField(editable=False, max_length=20, unique=True, verbose_name='beginning of the key')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True, verbose_name='digest')),
                ('scope', models.CharField(choices=[('read', 'reading'), ('intake', 'intake of contacts'), ('manage', 'everything')], default='read', max_length=10, verbose_name='rights')),
                ('expires_at', models.DateTimeField(blank=True, null=True, verbose_name='valid until')),
                ('revoked_at', models.DateTimeField(editable=False, null=True, verbose_name='revoked')),
                ('last_used_at', models.DateTimeField(editable=False, null=True, verbose_name='last use')),
                ('created_by', models.CharField(blank=True, editable=False, max_length=150, verbose_name='created by')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('sources', models.ManyToManyField(blank=True, help_text='For the intake: where it may create contacts.', related_name='api_keys', to='sources.source', verbose_name='sources')),
            ],
            options={
                'verbose_name': 'API key',
                'verbose_name_plural': 'API keys',
                'ordering': ['-pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('revoked_at__isnull', True)), fields=('name',), name='api_key_name_once_unless_revoked', violation_error_message='There is a key with this title already.'), models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='api_key_name_not_empty'), models.CheckConstraint(condition=models.Q(('scope__in', ['read', 'intake', 'manage'])), name='api_key_scope_is_known'), models.CheckConstraint(condition=models.Q(('expires_at__isnull', True), ('expires_at__gt', models.F('created_at')), _connector='OR'), name='api_key_expires_after_creation', violation_error_message='It would have expired already.')],
            },
        ),
    ]
