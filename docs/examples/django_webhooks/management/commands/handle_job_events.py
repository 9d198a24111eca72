"""``python manage.py handle_job_events``: do what is to be done when a job has ended."""

from __future__ import annotations

import time
from argparse import ArgumentParser

from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from django_webhooks.models import JobEvent, TunedModel
from django_webhooks.views import client
from finetune_client import FineTuneError


class Command(BaseCommand):
    """Keep the models of the jobs that have ended."""

    help = "Keep the models of the jobs that have ended."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ``--once``."""
        parser.add_argument("--once", action="store_true", help="end when nothing is left to do")

    def handle(self, *, once: bool, **_options: object) -> None:
        """Handle what is new, again and again."""
        while True:
            for event in JobEvent.objects.filter(handled_at=None).order_by("received_at"):
                self.handle_event(event)
            if once:
                return
            time.sleep(5)

    def handle_event(self, event: JobEvent) -> None:
        """Keep the model of one job."""
        try:
            job = client.jobs.retrieve(event.job_id)
        except FineTuneError as error:
            self.stderr.write(f"{event.job_id} is looked at again: {error}")
            return
        with transaction.atomic():  # both or neither, also if the process is killed here
            if job.fine_tuned_model:
                TunedModel.objects.update_or_create(
                    job_id=job.id,
                    defaults={"name": job.fine_tuned_model, "finished_at": job.finished},
                )
            event.handled_at = timezone.now()
            event.save()
        self.stdout.write(f"{job.id} {job.status}: {job.fine_tuned_model or 'no model'}")
