# The tables of models.py: the console's permissions and its audit log.

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes both tables."""

    initial = True

    dependencies: ClassVar = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(db_index=True, verbose_name="when")),
                ("finished", models.DateTimeField(null=True, verbose_name="finished")),
                (
                    "user_key",
                    models.CharField(db_index=True, max_length=255, verbose_name="user's key"),
                ),
                ("user_name", models.CharField(max_length=255, verbose_name="who")),
                ("action", models.CharField(max_length=40, verbose_name="action")),
                ("process", models.CharField(blank=True, max_length=255, verbose_name="process")),
                ("path", models.CharField(blank=True, max_length=500, verbose_name="path")),
                ("arguments", models.JSONField(default=dict, verbose_name="arguments")),
                ("reason", models.CharField(blank=True, max_length=500, verbose_name="reason")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("begun", "begun"),
                            ("done", "done"),
                            ("partly", "done in part"),
                            ("refused", "refused"),
                            ("failed", "failed"),
                            ("silent", "no answer"),
                            ("denied", "denied"),
                        ],
                        default="begun",
                        max_length=10,
                        verbose_name="outcome",
                    ),
                ),
                ("error", models.TextField(blank=True, verbose_name="error")),
                ("answer", models.JSONField(default=dict, verbose_name="answer")),
                ("address", models.CharField(blank=True, max_length=64, verbose_name="address")),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit log",
                "ordering": ["-at", "-pk"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Console",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
            ],
            options={
                "verbose_name": "live tree",
                "verbose_name_plural": "live tree",
                "permissions": [
                    ("view_tree", "Can see the live tree"),
                    ("view_traceback", "Can read tracebacks"),
                    ("view_state", "Can see the state of actors"),
                    ("view_audit", "Can read the audit log"),
                    ("restart_actor", "Can restart and wake actors"),
                    ("stop_actor", "Can stop actors"),
                    ("start_actor", "Can start stopped actors"),
                    ("suspend_actor", "Can suspend and resume actors"),
                    ("reset_budget", "Can reset restart budgets"),
                    ("disconnect_connection", "Can disconnect connections"),
                    ("disconnect_user", "Can disconnect users"),
                    ("drain_process", "Can drain processes"),
                    ("trace_actor", "Can trace actors"),
                ],
                "default_permissions": (),
            },
        ),
    ]
