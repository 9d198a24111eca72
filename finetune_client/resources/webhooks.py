"""Webhooks, as the official SDK has them on its client: verified with the client's secret.

https://developers.openai.com/api/docs/guides/webhooks
"""

from __future__ import annotations

from finetune_client import webhooks
from finetune_client.errors import ConfigurationError
from finetune_client.resources.base import Resource
from finetune_client.transport.credentials import as_secret
from finetune_client.webhook_signature import HeaderItems

__all__ = ["Webhooks"]


class Webhooks(Resource):
    """Webhooks that a server posts: ``client.webhooks``. Nothing is sent."""

    def unwrap(
        self, payload: bytes | str, headers: HeaderItems, secret: str | None = None
    ) -> webhooks.WebhookEvent:
        """Verify a webhook's signature and read its event.

        Args:
            payload: The request's body exactly as it came, not parsed and put together again.
            headers: The request's headers.
            secret: The endpoint's signing secret; else the client's ``webhook_secret``.

        Raises:
            InvalidWebhookSignatureError: A header is missing, the webhook is older than 300
                seconds, or no signature is right. Answer with 400 and do nothing.
            ConfigurationError: There is no secret, or it cannot be one.
            DecodeError: The signature is right, but the body is not a JSON object.
        """
        secret = self._secret(as_secret(secret))
        return webhooks.unwrap(payload, headers, secret, clock=self._session.clock)

    def verify_signature(
        self,
        payload: bytes | str,
        headers: HeaderItems,
        secret: str | None = None,
        tolerance: float = 300,
    ) -> None:
        """Verify a webhook's signature.

        Args:
            payload: As for `unwrap`.
            headers: As for `unwrap`.
            secret: As for `unwrap`.
            tolerance: Seconds that the webhook may be old, or ahead of this machine's clock.

        Raises:
            InvalidWebhookSignatureError: A header is missing, the time is off, or no signature is
                right.
            ConfigurationError: There is no secret, or it cannot be one.
        """
        secret = self._secret(as_secret(secret))
        webhooks.verify_signature(
            payload, headers, secret, tolerance=tolerance, clock=self._session.clock
        )

    def _secret(self, given: str | None) -> str:
        secret = self._session.config.webhook_secret if given is None else given
        if secret is None:
            raise ConfigurationError(
                "There is no webhook secret: pass secret=, give the client webhook_secret=, or set "
                "OPENAI_WEBHOOK_SECRET."
            )
        return secret
