# What the console keeps in the database: its permissions, and who did what with it.
#
# Imported by Django alone, and only where the app is installed: the application works without it.
# Nothing here refers to the table of users: a project may have its own, or none, and what somebody
# did stays on record when the account is gone.

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models

if TYPE_CHECKING:
    from datetime import datetime

    Moment = models.DateTimeField[datetime, datetime]
    MaybeMoment = models.DateTimeField[datetime | None, datetime | None]
    Text = models.CharField[str, str]
    LongText = models.TextField[str, str]

OUTCOMES = (
    ("begun", "begun"),
    ("done", "done"),
    ("partly", "done in part"),
    ("refused", "refused"),
    ("failed", "failed"),
    ("silent", "no answer"),
    ("denied", "denied"),
)
"""What may have become of an action. One that stays ``begun`` was cut off by the end of its
process, and may have happened; one that is ``denied`` was never begun: its user may not."""


class Console(models.Model):
    """Holds the permissions of the console; there are no rows."""

    class Meta:  # noqa: D106 - Django's
        verbose_name = "live tree"
        verbose_name_plural = "live tree"
        default_permissions = ()
        permissions: ClassVar = [
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
        ]


class AuditEntry(models.Model):
    """One thing that somebody had done, or wanted done."""

    at: "Moment" = models.DateTimeField("when", db_index=True)
    finished: "MaybeMoment" = models.DateTimeField("finished", null=True)
    user_key: "Text" = models.CharField("user's key", max_length=255, db_index=True)
    user_name: "Text" = models.CharField("who", max_length=255)
    action: "Text" = models.CharField("action", max_length=40)
    process: "Text" = models.CharField("process", max_length=255, blank=True)
    path: "Text" = models.CharField("path", max_length=500, blank=True)
    arguments: Any = models.JSONField("arguments", default=dict)
    reason: "Text" = models.CharField("reason", max_length=500, blank=True)
    outcome: "Text" = models.CharField("outcome", max_length=10, choices=OUTCOMES, default="begun")
    error: "LongText" = models.TextField("error", blank=True)
    answer: Any = models.JSONField("answer", default=dict)
    address: "Text" = models.CharField("address", max_length=64, blank=True)

    class Meta:  # noqa: D106 - Django's
        verbose_name = "audit entry"
        verbose_name_plural = "audit log"
        default_permissions = ()
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        """Say who did what, to what."""
        return f"{self.user_name}: {self.action} {self.path or self.process}".rstrip()
