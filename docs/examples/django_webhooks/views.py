"""The view that a server posts its webhooks to."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from django_webhooks.models import JobEvent
from finetune_client import Client, DecodeError, InvalidWebhookSignatureError

client = Client()  # OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_WEBHOOK_SECRET


@csrf_exempt  # no browser sends it, and the signature tells who did
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Take an event, once: an event that comes again has the same id."""
    try:
        event = client.webhooks.unwrap(request.body, request.headers)
    except (InvalidWebhookSignatureError, DecodeError):
        return HttpResponse(status=400)
    if event.id and event.job_id:
        JobEvent.objects.get_or_create(
            id=event.id, defaults={"job_id": event.job_id, "status": event.job_status}
        )
    return HttpResponse(status=204)
