import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [('contacts','0004_contact_queue'),('sources','0002_distribution')]

    operations = [
        migrations.CreateModel(
            name='DecisionRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('create', 'arrival'), ('waiting', 'from the queue'), ('reassign', 'reassigned'), ('reopen', 'reopened'), ('release', 'released'), ('manual', 'by hand')], max_length=20, verbose_name='kind')),
                ('operator_id', models.BigIntegerField(null=True, verbose_name='operator')),
                ('operator_name', models.CharField(blank=True, max_length=100, verbose_name="operator's name")),
                ('previous_operator_id', models.BigIntegerField(null=True, verbose_name='previous operator')),
                ('strategy', models.CharField(blank=True, max_length=50, verbose_name='strategy')),
                ('candidates', models.JSONField(default=list, verbose_name='candidates')),
                ('skipped', models.JSONField(default=list, verbose_name='passed over')),
                ('odds', models.TextField(blank=True, verbose_name='odds')),
                ('draw', models.FloatField(null=True, verbose_name='draw')),
                ('forced', models.BooleanField(default=False, verbose_name='above the limit by force')),
                ('auto_assign_waiting', models.BooleanField(default=True, verbose_name='hand out by itself')),
                ('actor_type', models.CharField(max_length=20, verbose_name='who asked')),
                ('actor_name', models.CharField(blank=True, max_length=150, verbose_name='name')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='created')),
            ],
            options={
                'verbose_name': 'decision',
                'verbose_name_plural': 'decisions',
                'ordering': ['-pk'],
            },
        ),
        migrations.AddField(
            model_name='decisionrecord',
            name='contact',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='decisions', to='contacts.contact', verbose_name='contact'),
        ),
        migrations.AddField(
            model_name='decisionrecord',
            name='source',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='sources.source', verbose_name='source'),
        ),
        migrations.AddIndex(
            model_name='decisionrecord',
            index=models.Index(fields=['contact', 'id'], name='decision_by_contact'),
        ),
        migrations.AddIndex(
            model_name='decisionrecord',
            index=models.Index(fields=['source', 'created_at'], name='decision_by_source'),
        ),
        migrations.AddConstraint(
            model_name='decisionrecord',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['create', 'waiting', 'reassign', 'reopen', 'release', 'manual'])), name='decision_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='decisionrecord',
            constraint=models.CheckConstraint(condition=models.Q(('draw__isnull', True), models.Q(('draw__gte', 0), ('draw__lt', 1)), _connector='OR'), name='decision_draw_in_unit_interval'),
        ),
    ]
