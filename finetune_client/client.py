"""The client: how it is set up, and what it can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Final, Protocol

import requests  # noqa: TC002 - in an annotation, which is read at run time
from requests.adapters import HTTPAdapter  # noqa: TC002 - likewise

from finetune_client import resources
from finetune_client.backports import Self, Unpack
from finetune_client.errors import ConfigurationError, RequestError
from finetune_client.lazy import part
from finetune_client.loopback import IN_PROCESS_URL
from finetune_client.providers import LOCAL, Provider
from finetune_client.transport import (
    NO_JSON,
    Config,
    HTTPSession,
    Key,
    OnResponse,
    Request,
    RetryPolicy,
    Sender,
    Session,
    Timeout,
    check_path,
    query_pairs,
    with_changes,
)
from finetune_client.transport.config import (
    CLIENT_OPTIONS,
    DEFAULT_TIMEOUT,
    ClientOptions,
    NetworkOptions,
    check_names,
    of_client,
)
from finetune_client.transport.credentials import Credential, as_secret, hide_secret_headers
from finetune_client.transport.environment import azure_settings, environment, settings

__all__ = ["Client"]

_RETRIES: Final = RetryPolicy()
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_METHODS: Final = _IDEMPOTENT | {"POST", "PATCH"}


class InProcessServer(Protocol):
    """A server in this process, such as `finetune_client.local.LocalServer`."""

    def adapter(self) -> HTTPAdapter:
        """Return what answers a session's requests."""


class Client:
    """A client of an OpenAI-compatible fine-tuning API.

    It can be shared by threads; after a fork each process has connections of its own. It cannot be
    pickled. Close it, or use it in a with-statement.

    Every call raises `RequestError` or `ConfigurationError` if it cannot be sent as it stands, and
    an `APIError` if the exchange fails; beside its own arguments it takes ``extra_headers``,
    ``extra_query``, ``extra_body`` (where there is a body) and ``timeout`` in seconds.

    The parts of the API are attributes, whose code is loaded on first use: most scripts need one
    or two of them.
    """

    def __init__(
        self,
        api_key: Key = None,
        *,
        base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        provider: str | Provider | None = None,
        timeout: Timeout | None = DEFAULT_TIMEOUT,
        total_timeout: float | None = None,
        max_retries: int = _RETRIES.max_retries,
        max_retry_wait: float = _RETRIES.max_retry_wait,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        verify: bool | str | None = None,
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str | None] | None = None,
        session: requests.Session | None = None,
        on_response: OnResponse | None = None,
        admin_key: Key = None,
        webhook_secret: str | None = None,
        ledger: str | PathLike[str] | None = None,
        allow_http: bool = False,
    ) -> None:
        """Set a client up; nothing is sent.

        Args:
            api_key: The key; a callable is called for one for each request; False sends none. Left
                out, it is taken from the environment: ``OPENAI_API_KEY``, or what the provider
                uses.
            base_url: Where the API is, else ``OPENAI_BASE_URL``, else OpenAI's.
            organization: Else ``OPENAI_ORG_ID``.
            project: Else ``OPENAI_PROJECT_ID``.
            provider: What kind of server it is: a name or a `Provider`; else its host decides.
            timeout: Seconds to connect and seconds of silence, one number or a pair; None, also
                within the pair, for no limit: a server that falls silent then blocks a call for ever.
            total_timeout: Seconds for a whole call: all tries, the waits between them, the body;
                None for no limit.
            max_retries: How often a request is sent again after a failure that allows it.
            max_retry_wait: A server that asks to wait for longer than this is not waited for.
            headers: Sent with every request; they win over the client's own, except the key's.
            query: Put into the query of every request.
            verify: A bundle of certificates to trust, or False to trust anyone; else
                ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE`` or ``SSL_CERT_FILE``, else the usual ones.
            cert: A client certificate: a file, or a file and its key's.
            proxies: By scheme (None for no proxy), else those of the environment (but for this
                machine).
            session: Used instead of connections of our own, and left as it is.
            on_response: Called with a `ResponseInfo` for every answer.
            admin_key: The key for the calls that need an admin's, else ``OPENAI_ADMIN_KEY``.
            webhook_secret: What the server signs its webhooks with, else ``OPENAI_WEBHOOK_SECRET``.
            ledger: A file that remembers which idempotency key created which job, for servers that
                keep no metadata; the first create makes it.
            allow_http: Allow plain http to another machine, which shows the key to the network. One on
                a network of one's own (a name without a dot, ``.local``, ``.internal``, a private
                address) is allowed in any case, with a warning in the log unless this is True.

        Raises:
            ConfigurationError: Something is missing or not valid.
        """
        api_key, admin_key = as_secret(api_key), as_secret(admin_key)
        webhook_secret = _webhook_secret(webhook_secret)
        headers = hide_secret_headers(headers, api_key, admin_key)
        config = settings(
            environ=environment,
            api_key=api_key,
            admin_key=admin_key,
            base_url=base_url,
            provider=provider,
            organization=organization,
            project=project,
            query=query,
            allow_http=allow_http,
        )
        config = with_changes(
            config,
            timeout=timeout,
            total_timeout=total_timeout,
            max_retries=max_retries,
            max_retry_wait=max_retry_wait,
            headers=headers,
            on_response=on_response,
            ledger=_ledger_path(ledger),
            webhook_secret=webhook_secret,
        )
        sender = _sender(config, session, verify=verify, cert=cert, proxies=proxies)
        self._session = Session(config, sender)

    @classmethod
    def azure(
        cls,
        endpoint: str | None = None,
        *,
        api_key: Key = None,
        token: Key = None,
        api_version: str | None = None,
        provider: str | Provider | None = None,
        **options: Unpack[NetworkOptions],
    ) -> Self:
        """Return a client for Azure.

        Args:
            endpoint: ``https://RESOURCE.openai.azure.com``, else ``AZURE_OPENAI_ENDPOINT``.
            api_key: The resource's key, else ``AZURE_OPENAI_API_KEY``.
            token: Instead of a key, a Microsoft Entra token, or a callable that is called for one
                for each request; else ``AZURE_OPENAI_AD_TOKEN``.
            api_version: A date such as ``2024-10-21`` means the classic API, ``v1``, ``preview``
                or nothing the v1 API; else ``OPENAI_API_VERSION``.
            provider: Instead of what is known of that API, a `Provider` of your own.
            options: As for `Client`.

        Raises:
            ConfigurationError: Something is missing or not valid.
        """
        api_key, token = as_secret(api_key), as_secret(token)
        options["webhook_secret"] = _webhook_secret(options.get("webhook_secret"))
        options["headers"] = hide_secret_headers(options.get("headers"), api_key, token)
        check_names(options, NetworkOptions, "Client.azure")
        options["ledger"] = _ledger_path(options.get("ledger"))
        config = azure_settings(
            endpoint,
            environ=environment,
            api_key=api_key,
            token=token,
            api_version=api_version,
            provider=provider,
            allow_http=options.get("allow_http", False),
        )
        config = with_changes(config, **of_client(options))
        sender = _sender(
            config,
            options.get("session"),
            verify=options.get("verify"),
            cert=options.get("cert"),
            proxies=options.get("proxies"),
        )
        return cls._from_session(Session(config, sender))

    @classmethod
    def local(
        cls,
        directory: str | Path | None = None,
        *,
        server: InProcessServer | None = None,
        **options: Any,
    ) -> Self:
        """Return a client of the API on this machine: in this process, without a key or a socket.

        Args:
            directory: Where it keeps its files; a temporary one by default.
            server: One that is there already, instead of a new one. It stays open when the client
                is closed.
            options: ``timeout``, ``total_timeout``, ``max_retries``, ``max_retry_wait``,
                ``headers``, ``query``, ``on_response`` and ``webhook_secret`` as for `Client`; all
                others go to `finetune_client.local.LocalServer`, with ``webhook_secret`` if
                ``webhook`` is among them.

        Raises:
            ConfigurationError: The extra ``local`` is not installed, or an option is not valid.
        """
        config = settings(environ=environment, base_url=IN_PROCESS_URL, provider=LOCAL)
        options["webhook_secret"] = _webhook_secret(options.get("webhook_secret"))
        _refuse_ledger(IN_PROCESS_URL, options)
        config = with_changes(config, **of_client(options))
        theirs = {name: options[name] for name in options.keys() - CLIENT_OPTIONS}
        if "webhook" in theirs:  # the server signs with what the client verifies with
            theirs["webhook_secret"] = options["webhook_secret"]
        if server is not None and (directory is not None or theirs):
            raise ConfigurationError(
                "Client.local(server=) takes no directory and no options of a new server."
            )
        on_close = None
        if server is None:
            server = made = _local_server(directory, theirs)
            on_close = made.close
        in_process = HTTPSession(url=IN_PROCESS_URL, adapter=server.adapter())
        sender = Sender(in_process, on_close=on_close)
        return cls._from_session(Session(config, sender))

    @classmethod
    def _from_session(cls, session: Session) -> Self:
        client = cls.__new__(cls)
        client._session = session  # noqa: SLF001  # it is a client of ours
        return client

    @part
    def jobs(self) -> resources.Jobs:
        """Fine-tuning jobs, their events and checkpoints."""
        return resources.Jobs(self._session)

    @part
    def checkpoints(self) -> resources.Checkpoints:
        """Permissions on checkpoints."""
        return resources.Checkpoints(self._session)

    @part
    def graders(self) -> resources.Graders:
        """Running and validating graders."""
        return resources.Graders(self._session)

    @part
    def files(self) -> resources.Files:
        """Files."""
        return resources.Files(self._session)

    @part
    def uploads(self) -> resources.Uploads:
        """Files that are too large for one request."""
        return resources.Uploads(self._session)

    @part
    def models(self) -> resources.Models:
        """Models."""
        return resources.Models(self._session)

    @part
    def chat(self) -> resources.Chat:
        """Chat completions: answers of models."""
        return resources.Chat(self._session)

    @part
    def webhooks(self) -> resources.Webhooks:
        """Webhooks that a server posts: verified and read."""
        return resources.Webhooks(self._session)

    @part
    def fine_tuning(self) -> resources.FineTuning:
        """`jobs`, `checkpoints` and `graders` under the official SDK's path."""
        return resources.FineTuning(self.jobs, self.checkpoints, self.graders)

    @property
    def with_raw_response(self) -> resources.RawCalls:
        """The parts of the API with calls that return a `RawResponse`, which has headers too."""
        return resources.RawCalls(self)

    @property
    def with_streaming_response(self) -> resources.StreamingCalls:
        """The parts of the API with calls that are context managers, see `StreamingResponse`."""
        return resources.StreamingCalls(self)

    def with_options(self, *, api_key: Key = None, **options: Unpack[ClientOptions]) -> Self:
        """Return a client with other settings that shares the connections of this one.

        What is not given stays as it is; ``headers`` and ``query`` are added to those that exist.
        ``timeout=None`` and ``total_timeout=None`` remove the limit.
        Closing the copy leaves this client open; closing this client closes the copy too.

        Raises:
            ConfigurationError: A setting is not valid.
        """
        api_key = as_secret(api_key)
        keys = (api_key, *self._session.config.keys)
        options["headers"] = hide_secret_headers(options.get("headers"), *keys)
        check_names(options, ClientOptions, "with_options")
        options["webhook_secret"] = as_secret(options.get("webhook_secret"))
        _refuse_ledger(self.base_url, options)
        options["ledger"] = _ledger_path(options.get("ledger"))
        config = with_changes(self._session.config, **of_client(options))
        if api_key is not None:
            config = _with_key(config, api_key)
        return self._from_session(self._session.sharing(config))

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
        """Call any endpoint of the server, also one that this package has no method for.

        Args:
            method: ``"GET"``, ``"HEAD"``, ``"POST"``, ``"PUT"``, ``"PATCH"`` or ``"DELETE"``.
            path: Below the base URL, such as ``"/fine_tuning/jobs"``.
            json: The body, plain data.
            query: Its query; None drops a key, a dict is sent as ``key[sub]``.
            headers: Sent in addition to the client's own.
            timeout: Instead of the client's, which None leaves in force.
            idempotent: Whether it may be sent again when its outcome is unknown; by default all
                but POST and PATCH may.

        Returns:
            The answer's JSON; None if it is empty.

        Raises:
            APIError: No answer came, or an error, or an answer that is not JSON.
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

    @property
    def has_admin_key(self) -> bool:
        """Whether there is a key for the calls that need an admin's."""
        return self._session.config.admin_credential.source is not None

    def close(self) -> None:
        """Close the connections; it may be called again. A caller's own session stays open."""
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


def _webhook_secret(given: str | None) -> str | None:
    secret: str | None = as_secret(environment("OPENAI_WEBHOOK_SECRET") if given is None else given)
    return secret


def _ledger_path(ledger: str | PathLike[str] | None) -> Path | None:
    """Return where the ledger is, wherever the program goes from here."""
    if ledger is None:
        return None
    from finetune_client.ledger import Ledger

    return Ledger(ledger).path


def _refuse_ledger(base_url: str, options: Mapping[str, Any]) -> None:
    if options.get("ledger") is not None and base_url == IN_PROCESS_URL:
        raise ConfigurationError(
            "A client of the embedded server takes no ledger: that server keeps each job's "
            "idempotency key, so jobs.create finds the job by itself."
        )


def _sender(config: Config, session: requests.Session | None, **network: Any) -> Sender:
    if session is None:
        return Sender(HTTPSession(url=config.base_url.url, **network))
    for name, value in network.items():
        if value is not None:
            raise ConfigurationError(f"Set {name} on the session that you pass, not here.")
    return Sender(session)


def _local_server(directory: str | Path | None, options: dict[str, Any]) -> Any:
    try:
        from finetune_client.local import LocalServer

        return LocalServer(directory, **options)
    except ModuleNotFoundError as error:
        missing = error.name
    raise ConfigurationError(
        f"Client.local() needs {missing}, which is not installed: "
        "pip install 'finetune-client[local]'."
    )


def _with_key(config: Config, key: Key) -> Config:
    header = config.credential.header
    return replace(config, credential=Credential.of(key, header=header, name="api_key"))
