"""What every client can do, however it was set up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from finetune_client.errors import RequestError
from finetune_client.resources import (
    Checkpoints,
    Files,
    FineTuning,
    Graders,
    Jobs,
    Models,
    Uploads,
)
from finetune_client.transport import (
    NO_JSON,
    Request,
    check_path,
    query_pairs,
    with_changes,
)
from finetune_client.transport.config import ClientOptions, check_names, of_client
from finetune_client.transport.credentials import Credential, as_secret, hide_secret_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self, Unpack

    from finetune_client.providers import Provider
    from finetune_client.transport import Config, Key, Session, Timeout

__all__ = ["Composed"]

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_METHODS: Final = _IDEMPOTENT | {"POST", "PATCH"}


class Composed:
    """The resources over one session; `finetune_client.Client` adds the ways to set it up."""

    @classmethod
    def _over(cls, session: Session) -> Self:
        client = cls.__new__(cls)
        client._compose(session)  # noqa: SLF001  # it is one of us
        return client

    def _compose(self, session: Session) -> None:
        self._session = session
        self.jobs = Jobs(session)
        self.checkpoints = Checkpoints(session)
        self.graders = Graders(session)
        self.files = Files(session)
        self.uploads = Uploads(session)
        self.models = Models(session)
        self.fine_tuning = FineTuning(self.jobs, self.checkpoints, self.graders)

    def with_options(self, *, api_key: Key = None, **options: Unpack[ClientOptions]) -> Self:
        """Make a client with other settings that shares the connections of this one.

        What is not given stays as it is; ``headers`` and ``query`` are added to those there are.
        ``timeout=None`` and ``total_timeout=None`` remove the limit.
        Closing the copy leaves this client open; closing this client closes the copy too.

        Raises:
            ConfigurationError: A setting is not valid.
        """
        api_key = as_secret(api_key)
        keys = (api_key, *self._session.config.keys)
        options["headers"] = hide_secret_headers(options.get("headers"), *keys)
        check_names(options, ClientOptions, "with_options")
        config = with_changes(self._session.config, **of_client(options))
        if api_key is not None:
            config = _with_key(config, api_key)
        return self._over(self._session.sharing(config))

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = NO_JSON,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: Timeout | None = None,
        idempotent: bool | None = None,
    ) -> Any:
        """Call any endpoint of the server, also one that this package has no name for.

        Args:
            method: ``"GET"``, ``"HEAD"``, ``"POST"``, ``"PUT"``, ``"PATCH"`` or ``"DELETE"``.
            path: Below the base URL, such as ``"/fine_tuning/jobs"``.
            json: The body, plain data.
            query: Its query; None drops a key, a dict is sent as ``key[sub]``.
            headers: Sent beside the client's own.
            timeout: Instead of the client's, which None leaves in force.
            idempotent: Whether it may be sent again when its outcome is unknown; by default all
                but POST and PATCH may.

        Returns:
            The answer's JSON; None if it is empty.

        Raises:
            APIError: No answer came, an error, or none that is JSON.
            RequestError: The path leads elsewhere, or the request cannot be sent.
        """
        headers = hide_secret_headers(headers, *self._session.config.keys)
        verb = str(method).upper()
        if verb not in _METHODS:
            raise RequestError(f"method must be one of {', '.join(sorted(_METHODS))}.")
        request = Request(
            method=verb,
            path=check_path(path),
            query=query_pairs(query or {}),
            json=json,
            headers=headers or {},
            timeout=timeout,
            idempotent=verb in _IDEMPOTENT if idempotent is None else idempotent,
            any_answer=True,
        )
        return self._session.send(request).data

    @property
    def base_url(self) -> str:
        """Where the API is, without a slash at the end."""
        return self._session.config.base_url.url

    @property
    def provider(self) -> Provider:
        """What kind of server it is."""
        return self._session.provider

    def close(self) -> None:
        """Close the connections; may be called again. A caller's own session is left open."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_session"):  # a constructor that failed, shown by a traceback tool
            return "<Client that was not set up>"
        return f"<Client of {self.base_url} ({self.provider.name})>"

    def __reduce__(self) -> str:
        raise TypeError("A client holds a key and connections, so it cannot be pickled.")


def _with_key(config: Config, key: Key) -> Config:
    header = config.credential.header
    return replace(config, credential=Credential.of(key, header=header, name="api_key"))
