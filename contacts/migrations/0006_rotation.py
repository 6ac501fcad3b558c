import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [('contacts','0005_decision_record')]

    operations = [
        migrations.CreateModel(
            name='Rotation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('among', models.CharField(max_length=64, verbose_name='among')),
                ('turns', models.JSONField(default=dict, verbose_name='turns')),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='updated')),
            ],
            options={
                'verbose_name': 'rotation',
                'verbose_name_plural': 'rotations',
                'ordering': ['pk'],
            },
        ),
        migrations.AddField(
            model_name='rotation',
            name='source',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='sources.source', verbose_name='source'),
        ),
        migrations.AddConstraint(
            model_name='rotation',
            constraint=models.UniqueConstraint(fields=('source', 'among'), name='rotation_once_per_set'),
        ),
    ]
