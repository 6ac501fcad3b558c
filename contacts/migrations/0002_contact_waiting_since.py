from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [('contacts','0001_contact')]

    operations = [
        migrations.AddField(
            model_name='contact',
            name='waiting_since',
            field=models.DateTimeField(editable=False, null=True, verbose_name='waiting since'),
        ),
    ]
