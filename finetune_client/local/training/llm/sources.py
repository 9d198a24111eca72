"""Where base models come from: a directory or a GGUF file here, or a repository of the hub.

Weights are read from safetensors and GGUF alone: a pickle can run any code when it is opened.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ADAPTER_CONFIG", "TOKENIZER_FILES", "Source", "is_hub_id"]

ADAPTER_CONFIG = "adapter_config.json"
"""The file of a directory that holds an adapter rather than a whole model."""

TOKENIZER_FILES = (
    *("tokenizer*", "*.model", "*.tiktoken", "tekken.json", "vocab.*", "merges.txt"),
    *("added_tokens.json", "special_tokens_map.json"),
    *("chat_template*", "additional_chat_templates/*"),
)
"""What a tokenizer is made of, whatever its kind."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True, slots=True)
class Source:
    """A base model's weights and tokenizer.

    Attributes:
        location: The directory, or the id of a repository of the hub.
        gguf: The GGUF file in the directory; `None` for safetensors.
        is_local: Whether the location is a directory.
    """

    location: str
    gguf: str | None = None
    is_local: bool = True

    @classmethod
    def find(cls, given: str | Path) -> Source:
        """Return the source that a path or the id of a repository names.

        Raises:
            ValueError: There is nothing of the kind, or it is not safe to use.
        """
        path = Path(given).expanduser()
        if path.is_dir():
            return cls._in_directory(path.resolve())
        if path.is_file():
            if path.suffix != ".gguf":
                raise ValueError(
                    f"The file {str(path)!r} is not a model: give a directory with safetensors, or "
                    "a file that ends in .gguf."
                )
            _refuse_shared(path.resolve())
            _refuse_shared(path.resolve().parent)
            return cls(str(path.resolve().parent), path.name)
        if isinstance(given, Path) or not is_hub_id(given):
            raise ValueError(f"There is no model at {str(given)!r}.")
        return cls(given, is_local=False)

    @classmethod
    def _in_directory(cls, path: Path) -> Source:
        _refuse_shared(path)
        if next(path.glob("*.safetensors"), None) is not None:
            return cls(str(path))
        files = sorted(path.glob("*.gguf"))
        if len(files) == 1:
            _refuse_shared(files[0])
            return cls(str(path), files[0].name)
        if files:
            raise ValueError(
                f"The directory {str(path)!r} has {len(files)} GGUF files; give the path of one."
            )
        raise ValueError(
            f"The directory {str(path)!r} has no weights in safetensors or GGUF. Other formats are "
            "not read: a pickle can run any code when it is opened."
        )

    @property
    def name(self) -> str:
        """The name that it bears: a repository's id, or the last part of a path, never all of it."""
        if self.gguf is not None:
            return Path(self.gguf).stem
        return Path(self.location).name if self.is_local else self.location


def is_hub_id(text: str) -> bool:
    """Return whether a text can be the id of a repository of the hub."""
    return _HUB_ID.fullmatch(text) is not None and not text.endswith(".gguf")


def _refuse_shared(path: Path) -> None:
    """Raise if other users of this machine can change it."""
    if os.name == "posix" and path.stat().st_mode & stat.S_IWOTH:
        raise ValueError(
            f"Other users can write to {str(path)!r}, and could change the model. Take the right "
            f"away with: chmod o-w {str(path)!r}"
        )
