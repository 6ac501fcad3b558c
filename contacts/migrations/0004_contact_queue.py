from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [('contacts','0003_fill_waiting_since')]

    operations = [
        migrations.RemoveIndex(
            model_name='contact',
            name='contact_waiting_by_age',
        ),
        migrations.AddIndex(
            model_name='contact',
            index=models.Index(condition=models.Q(('waiting_since__isnull', False)), fields=['created_at', 'id'], name='contact_waiting_newest'),
        ),
        migrations.AddIndex(
            model_name='contact',
            index=models.Index(condition=models.Q(('waiting_since__isnull', False)), fields=['source', 'waiting_since', 'id'], name='contact_queue'),
        ),
        migrations.AddConstraint(
            model_name='contact',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('status', 'closed'), _negated=True), ('operator__isnull', True), ('waiting_since__isnull', False)), models.Q(models.Q(('status', 'closed'), ('operator__isnull', False), _connector='OR'), ('waiting_since__isnull', True)), _connector='OR'), name='contact_waiting_since_iff_waiting'),
        ),
    ]
