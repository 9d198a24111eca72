"""The table of codes: all that `check` can find, with its severity, sentence and remedy."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from finetune_client.training_data.codes.code import Code, Severity
from finetune_client.training_data.codes.of_files import FILE_CODES
from finetune_client.training_data.codes.of_messages import MESSAGE_CODES
from finetune_client.training_data.codes.of_methods import METHOD_CODES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CODES", "Code", "Severity"]

CODES: Mapping[str, Code] = MappingProxyType(
    {code.name: code for code in (*FILE_CODES, *MESSAGE_CODES, *METHOD_CODES)}
)
