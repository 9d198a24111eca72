"""The tables of the docs that list the codes of problems, made from the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.training_data import CODES

if TYPE_CHECKING:
    from finetune_client.training_data.codes.code import Severity

__all__ = ["code_table"]


def code_table(severity: Severity) -> str:
    """Return the codes of a severity as a table in Markdown."""
    rows = [["code", "what is wrong", "what to do", "what that rests on"], ["---"] * 4]
    for code in CODES.values():
        if code.severity == severity:
            texts = (code.sentence, code.remedy, code.evidence)
            rows.append([f"`{code.name}`", *map(_in_a_table, texts)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _in_a_table(text: str) -> str:
    return text.replace("|", "\\|").replace("{{", "{").replace("}}", "}")
