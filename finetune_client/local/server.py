"""The embedded server: one WSGI app, its state, and the threads that train."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_client.backports import Self
from finetune_client.local.api.chat import Chat
from finetune_client.local.api.curves import Curves
from finetune_client.local.api.files import Files
from finetune_client.local.api.graders import Graders
from finetune_client.local.api.jobs import Jobs
from finetune_client.local.api.models import Models
from finetune_client.local.api.permissions import Permissions
from finetune_client.local.api.uploads import Uploads
from finetune_client.local.app import make_app, page_routes, routes
from finetune_client.local.base_models import trainer_of_base_models
from finetune_client.local.faults import Faults, parse_faults
from finetune_client.local.http.adapter import LocalAdapter
from finetune_client.local.http.api_keys import ApiKeys
from finetune_client.local.state import ServerLimits, State
from finetune_client.local.storage.store import Store
from finetune_client.local.training.bigram.trainer import BigramTrainer
from finetune_client.local.training.job import FINAL_STATUSES
from finetune_client.local.training.runner import Runner
from finetune_client.local.training.trainer import Trainer
from finetune_client.local.webhook_sender import WebhookSender

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["LocalServer"]


class LocalServer:
    """The fine-tuning API on this machine, with a tiny model that is really trained.

    The API is the real one, the model is tiny: for trying scripts out, tests, and work offline.

    Args:
        directory: Where files, jobs and models stay across runs. Without it they are kept in a
            temporary directory, which `close()` removes.
        trainer: What trains; by default the byte-level bigram ``tiny`` that comes with the server.
        trainers: What trains further base models.
        any_model: Whether any other name is taken for a base model too, and stands for ``tiny`` (or
            the first base model, if none has that name): for tests of programs that name a model of
            a service. A job's first event says so.
        step_seconds: How long to wait after each training step, so that there is time to watch,
            pause or cancel a job.
        workers: How many jobs each trainer trains at once; the others are queued.
        limits: How large files may be, and how many chat completions are answered at once.
        clock: Returns the Unix time in seconds.
        allowed_hosts: Host names that are allowed beside those of this machine.
        api_keys: The project of each key that is taken. What a project makes, the keys of other
            projects do not see. Without it any key is taken, and all is of the project ``default``,
            as are requests in process that send no key.
        faults: What is to go wrong, as `parse_faults` reads it, for tests of programs that must
            bear it; ``""`` for nothing yet. Unless it is `None`, a request may ask for its own
            fault in a header ``X-Finetune-Fault``.
        base_models: Real language models to train beside ``tiny``: the name that jobs use -> a
            directory with safetensors or a GGUF file, such a file, or the id of a repository of the
            hub. Needs the extra ``llm``. A lasting directory remembers them for the next server.
        llm_options: How they are trained, see ``docs/own-models.md``.
        wait: Waits ``step_seconds``, or before a webhook is sent again, or until the event is set;
            returns whether it is.
        webhook: The URL to which an event is posted when a job has succeeded, failed or was
            cancelled (https://developers.openai.com/api/reference), until it answers 2xx.
        webhook_secret: The secret that signs them, ``whsec_...``.
        allow_python_graders: Whether graders of type ``python`` are run, in jobs and for
            ``graders.run``: whoever can call the server can then run code with the rights of its
            user. `running` and `serve` refuse to let other machines reach such a server.

    Attributes:
        app: The WSGI app.
        faults: More faults can be added here; `None` unless ``faults`` was given.
        limits: See above.
        allowed_hosts: See above; a port adds the host it listens on.
        api_keys: The keys, as `ApiKeys`.
        allow_python_graders: See above.

    Raises:
        BlockingIOError: Another server is using the directory.
        OSError: The directory cannot be used.
        ValueError: ``faults`` cannot be read, a base model or an option for it is not valid, two
            trainers have a base model of the same name, or a key or project has characters that it
            may not have.
        ConfigurationError: ``webhook`` is not a URL, or its secret is missing or cannot be used.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        trainer: Trainer | None = None,
        *,
        trainers: Sequence[Trainer] = (),
        any_model: bool = False,
        step_seconds: float = 0.0,
        workers: int = 2,
        limits: ServerLimits | None = None,
        clock: Callable[[], float] = time.time,
        allowed_hosts: Collection[str] = (),
        api_keys: Mapping[str, str] | None = None,
        faults: str | None = None,
        base_models: Mapping[str, str | os.PathLike[str]] | None = None,
        llm_options: Mapping[str, Any] | None = None,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
        webhook: str | None = None,
        webhook_secret: str | None = None,
        allow_python_graders: bool = False,
    ) -> None:
        planned = [] if faults is None else parse_faults(faults)
        given = [BigramTrainer() if trainer is None else trainer, *trainers]
        self.api_keys = ApiKeys(api_keys or {})
        with contextlib.ExitStack() as undo:
            self._store = Store(None if directory is None else Path(directory))
            undo.callback(self._store.close)
            of_bases = trainer_of_base_models(
                self._store.directory,
                base_models or {},
                llm_options or {},
                taken=_base_models(given),
                remember=self._store.is_lasting,
            )
            given += [] if of_bases is None else [of_bases]
            bases = _base_models(given)
            state = State(
                store=self._store,
                clock=clock,
                limits=limits or ServerLimits(),
                allow_python_graders=allow_python_graders,
            )
            self._webhooks = None
            if webhook is not None:
                self._webhooks = WebhookSender(state, webhook, webhook_secret, wait=wait)
                state.on_status = self._webhooks.send_if_ended
            files, models = Files(state), Models(state, bases, any_model=any_model)
            self._models = models
            self._runner = Runner(
                state,
                files,
                models,
                given,
                step_seconds=step_seconds,
                wait=wait,
                workers=workers,
            )
            self._jobs = Jobs(state, files, models, self._runner)
            self.limits = state.limits
            self.allow_python_graders = allow_python_graders
            self.allowed_hosts = {host.lower() for host in allowed_hosts}
            table = routes(
                files,
                Uploads(state, files),
                models,
                self._jobs,
                Permissions(state, models),
                Graders(state),
                Chat(state, models, given),
            )
            self.app: WSGIApplication = make_app(
                self._store,
                table,
                page_routes(Curves(state, self._jobs)),
                self.allowed_hosts,
                self.api_keys,
            )
            self.faults: Faults | None = None
            if faults is not None:
                self.app = self.faults = Faults(self.app, planned)
            self._close_lock = threading.Lock()
            self._closed = False
            self._owner = os.getpid()
            undo.callback(self.close)
            if self._webhooks is not None:
                self._webhooks.start()
            self._jobs.resume_all()
            undo.pop_all()

    def adapter(self) -> LocalAdapter:
        """Return a `requests` adapter that calls the app in this process."""
        return LocalAdapter(self.app, self.why_unavailable)

    def model_directory(self, name: str) -> Path | None:
        """Return the directory of a tuned model's files; `None` if there is no such model."""
        try:
            return self._models.path(name)
        except FileNotFoundError:
            return None

    def count_active_jobs(self) -> int:
        """Return how many jobs are being checked, queued, trained or paused right now."""
        return sum(job.status not in FINAL_STATUSES | {"paused"} for job in self._jobs.live())

    def why_unavailable(self) -> str | None:
        """Return why the server cannot be called, if it cannot."""
        if os.getpid() != self._owner:  # a fork, which has no threads that train
            return (
                "The embedded server lives in the process that made it, not in a fork of that. "
                "Make a Client.local() in each process, or let all of them use one finetune serve."
            )
        return "The embedded server has been closed." if self._closed else None

    def close(self) -> None:
        """End the training threads and remove a temporary directory. It can be called again.

        In a fork of the process that made the server it does nothing.
        """
        if os.getpid() != self._owner:
            return
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
            self._runner.close(self._jobs.live())
            if self._webhooks is not None:
                self._webhooks.close()
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _base_models(trainers: Sequence[Trainer]) -> list[str]:
    names = [name for trainer in trainers for name in trainer.models()]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Two trainers have a base model '{name}'; each needs its own names.")
    return names
