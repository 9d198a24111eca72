"""The two tables."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """As ``manage.py makemigrations`` writes it."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="JobEvent",
            fields=[
                ("id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("job_id", models.CharField(max_length=255)),
                ("status", models.CharField(max_length=32)),
                ("received_at", models.DateTimeField(auto_now_add=True)),
                ("handled_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="TunedModel",
            fields=[
                ("job_id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255)),
                ("finished_at", models.DateTimeField()),
            ],
        ),
    )
