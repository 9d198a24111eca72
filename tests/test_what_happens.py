"""The page that says what each fault and Ctrl-C lead to says what the tests say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support.fault_tables import call_table, fault_table

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "what-happens-when.md").read_text(encoding="utf-8")


def test_tables__are_those_of_the_faults() -> None:
    assert call_table() in PAGE
    assert fault_table() in PAGE


def test_ctrl_c__each_row_names_a_test() -> None:
    rows = re.findall(r"^\|.*\| `(test_\w+)` in `(\S+)` \|$", PAGE, re.MULTILINE)
    for test, path in rows:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert test in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
    section = PAGE.partition("\n## Ctrl-C\n")[2]
    assert len(rows) == section.count("\n|") - 2 > 0
