"""The events that were received, and the models that came of the jobs."""

from __future__ import annotations

from django.db import models


class JobEvent(models.Model):
    """An event. Its id is the event's own, so that one that comes again is there already."""

    id = models.CharField(max_length=255, primary_key=True)
    job_id = models.CharField(max_length=255)
    status = models.CharField(max_length=32)
    received_at = models.DateTimeField(auto_now_add=True)
    handled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        """Show it in the admin."""
        return f"{self.job_id} {self.status}"


class TunedModel(models.Model):
    """A model that a job has made; the newest is `TunedModel.objects.latest("finished_at").name`."""

    job_id = models.CharField(max_length=255, primary_key=True)
    name = models.CharField(max_length=255)
    finished_at = models.DateTimeField()

    def __str__(self) -> str:
        """Show it in the admin."""
        return self.name
