"""The client: where key, address and time limits come from, and where the calls hang."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

from finetune_client.errors import ConfigurationError, RequestError
from finetune_client.providers import LOCAL
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
    BorrowedWire,
    OwnWire,
    Request,
    Session,
    changed,
    checked_path,
    query_pairs,
)
from finetune_client.transport.config import DEFAULT_TIMEOUT
from finetune_client.transport.credentials import Credential, hidden, hidden_headers
from finetune_client.transport.settings import azure_settings, settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import requests
    from typing_extensions import Self, Unpack

    from finetune_client.providers import Provider
    from finetune_client.transport import Config, Key, OnResponse, Repeat, Timeout, Wire

__all__ = ["Client", "ClientOptions"]

_HARMLESS = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_METHODS = _HARMLESS | {"POST", "PATCH"}
_LOCAL_URL = "http://finetune.localhost/v1"


class ClientOptions(TypedDict, total=False):
    """What every way of making a client takes; see `Client`."""

    timeout: Timeout
    total_timeout: float | None
    max_retries: int
    max_retry_wait: float
    headers: Mapping[str, str] | None
    query: Mapping[str, Any] | None
    on_response: OnResponse | None


class NetworkOptions(ClientOptions, total=False):
    """What every way of making a client that uses the network takes; see `Client`."""

    verify: bool | str | None
    cert: str | tuple[str, str] | None
    proxies: Mapping[str, str] | None
    session: requests.Session | None
    allow_http: bool


_OF_CLIENT = frozenset(ClientOptions.__annotations__)


class Client:
    """A client of an OpenAI-compatible fine-tuning API.

    It can be shared by threads; after a fork each process has connections of its own. It is not
    pickled. Close it, or use it in a with-statement.

    Attributes:
        jobs: Fine-tuning jobs, their events and checkpoints.
        checkpoints: Permissions on checkpoints.
        graders: Running and validating graders.
        files: Files.
        uploads: Files too large for one request.
        models: Models.
        fine_tuning: `jobs`, `checkpoints` and `graders` under the official SDK's path.
    """

    def __init__(
        self,
        api_key: Key = None,
        *,
        base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        provider: str | Provider | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        total_timeout: float | None = None,
        max_retries: int = 2,
        max_retry_wait: float = 60.0,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        verify: bool | str | None = None,
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        session: requests.Session | None = None,
        on_response: OnResponse | None = None,
        admin_key: Key = None,
        allow_http: bool = False,
    ) -> None:
        """Set a client up; nothing is sent.

        Args:
            api_key: The key; a callable is asked for one for each request; False sends none. Left
                out, it is taken from the environment: ``OPENAI_API_KEY``, or what the provider
                uses.
            base_url: Where the API is, else ``OPENAI_BASE_URL``, else OpenAI's.
            organization: Else ``OPENAI_ORG_ID``.
            project: Else ``OPENAI_PROJECT_ID``.
            provider: What kind of server it is: a name or a `Provider`; else told by the host.
            timeout: Seconds to connect and seconds of silence, one number or a pair.
            total_timeout: Seconds for a whole call: all tries, the waits between them, the body.
            max_retries: How often a request is sent again after a failure that allows it.
            max_retry_wait: A server that asks to wait for longer than this is not waited for.
            headers: Sent with every request; they win over the client's own, except the key's.
            query: Put into the query of every request.
            verify: A bundle of certificates to trust, or False to trust anyone; else
                ``REQUESTS_CA_BUNDLE``, else the usual ones.
            cert: A client certificate: a file, or a file and its key's.
            proxies: By scheme, else those of the environment (but for this machine).
            session: Used instead of connections of our own, and left as it is.
            on_response: Called with a `ResponseInfo` for every answer.
            admin_key: The key for the calls that need an admin's, else ``OPENAI_ADMIN_KEY``.
            allow_http: Allow plain http to another machine, which shows the key to the network.

        Raises:
            ConfigurationError: Something is missing or not valid.
        """
        api_key, admin_key = hidden(api_key), hidden(admin_key)
        headers = hidden_headers(headers)
        config = settings(
            environ=os.environ,
            api_key=api_key,
            admin_key=admin_key,
            base_url=base_url,
            provider=provider,
            organization=organization,
            project=project,
            allow_http=allow_http,
        )
        config = changed(
            config,
            timeout=timeout,
            total_timeout=total_timeout,
            max_retries=max_retries,
            max_retry_wait=max_retry_wait,
            headers=headers,
            query=query,
            on_response=on_response,
        )
        wire = _wire(config, session, verify=verify, cert=cert, proxies=proxies)
        self._compose(Session(config, wire))

    @classmethod
    def azure(
        cls,
        endpoint: str | None = None,
        *,
        api_key: Key = None,
        token: Key = None,
        api_version: str | None = None,
        **options: Unpack[NetworkOptions],
    ) -> Self:
        """Set a client for Azure up.

        Args:
            endpoint: ``https://RESOURCE.openai.azure.com``, else ``AZURE_OPENAI_ENDPOINT``.
            api_key: The resource's key, else ``AZURE_OPENAI_API_KEY``.
            token: Instead of a key, a Microsoft Entra token, or a callable that is asked for one
                for each request; else ``AZURE_OPENAI_AD_TOKEN``.
            api_version: A date such as ``2024-10-21`` means the classic API, ``v1``, ``preview``
                or nothing the v1 API; else ``OPENAI_API_VERSION``.
            options: As for `Client`.

        Raises:
            ConfigurationError: Something is missing or not valid.
        """
        api_key, token = hidden(api_key), hidden(token)
        options["headers"] = hidden_headers(options.get("headers"))
        _check_names(options, NetworkOptions, "Client.azure")
        config = azure_settings(
            endpoint,
            environ=os.environ,
            api_key=api_key,
            token=token,
            api_version=api_version,
            allow_http=options.get("allow_http", False),
        )
        config = changed(config, **_of_client(options))
        wire = _wire(
            config,
            options.get("session"),
            verify=options.get("verify"),
            cert=options.get("cert"),
            proxies=options.get("proxies"),
        )
        return cls._over(Session(config, wire))

    @classmethod
    def local(cls, directory: str | Path | None = None, **options: Any) -> Self:
        """Run the API on this machine, in this process, without a key and without a socket.

        Args:
            directory: Where it keeps its files; a temporary one by default.
            options: ``timeout``, ``total_timeout``, ``max_retries``, ``max_retry_wait``,
                ``headers``, ``query`` and ``on_response`` as for `Client`; all others go to
                `finetune_client.local.LocalServer`.

        Raises:
            ConfigurationError: The extra ``local`` is not installed, or an option is not valid.
        """
        config = settings(environ={}, base_url=_LOCAL_URL, provider=LOCAL)
        config = changed(config, **_of_client(options))
        theirs = {name: options[name] for name in options.keys() - _OF_CLIENT}
        server = _local_server(directory, theirs)
        wire = OwnWire(url=_LOCAL_URL, adapter=server.adapter(), on_close=server.close)
        return cls._over(Session(config, wire))

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
        Closing the copy leaves this client open; closing this client closes the copy too.

        Raises:
            ConfigurationError: A setting is not valid.
        """
        api_key = hidden(api_key)
        options["headers"] = hidden_headers(options.get("headers"))
        _check_names(options, ClientOptions, "with_options")
        config = changed(self._session.config, **_of_client(options))
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
        repeat: Repeat | None = None,
    ) -> Any:
        """Call any endpoint of the server, also one that this package has no name for.

        Args:
            method: ``"GET"``, ``"POST"``, ``"PUT"``, ``"PATCH"`` or ``"DELETE"``.
            path: Below the base URL, such as ``"/fine_tuning/jobs"``.
            json: The body, plain data.
            query: Its query; None drops a key, a dict is sent as ``key[sub]``.
            headers: Sent beside the client's own.
            timeout: Instead of the client's.
            repeat: ``"harmless"`` if it may be sent again when its outcome is not known, else
                ``"costly"``, which is the default for POST and PATCH.

        Returns:
            The answer's JSON; None if it is empty.

        Raises:
            APIError: No answer came, an error, or none that is JSON.
            RequestError: The path leads elsewhere, or the request cannot be sent.
        """
        verb = str(method).upper()
        if verb not in _METHODS:
            raise RequestError(f"method must be one of {', '.join(sorted(_METHODS))}.")
        request = Request(
            method=verb,
            path=checked_path(path),
            query=query_pairs(query or {}),
            json=json,
            headers=headers or {},
            timeout=timeout,
            repeat=repeat or ("harmless" if verb in _HARMLESS else "costly"),
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


def _wire(config: Config, session: requests.Session | None, **network: Any) -> Wire:
    if session is None:
        return OwnWire(url=config.base_url.url, **network)
    for name, value in network.items():
        if value is not None:
            raise ConfigurationError(f"Set {name} on the session that you pass, not here.")
    return BorrowedWire(session)


def _of_client(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in _OF_CLIENT}


def _check_names(options: Mapping[str, Any], known: Any, function: str) -> None:
    for name in options:
        if name not in known.__annotations__:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")


def _with_key(config: Config, key: Key) -> Config:
    header = config.provider.key_header
    return replace(config, credential=Credential.of(key, header=header, name="api_key"))


def _local_server(directory: str | Path | None, options: dict[str, Any]) -> Any:
    try:
        from finetune_client.local import LocalServer
    except ImportError as error:
        missing = error.name
    else:
        return LocalServer(directory, **options)
    raise ConfigurationError(
        f"Client.local() needs {missing}, which is not installed: "
        "pip install 'finetune-client[local]'."
    )
