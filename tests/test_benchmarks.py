"""The table of ratios: how it is counted, and that the docs have what the command prints."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import PARTS
from tests.benchmarks.comparing import Comparison, alternate, markdown, missing, ratios

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)
ONE = Comparison(what="a", against="b", ours="ours", theirs="theirs", most=1.5)
DECLARED = [one for part in PARTS.values() for one in part.COMPARISONS]


def table(text: str) -> list[tuple[str, ...]]:
    """Return the cells of a page's only table, without its head."""
    return [tuple(row.split(" | ")) for row in ROW.findall(text)][2:]


def limit(one: Comparison) -> str:
    return "none" if one.most is None else f"{one.most:.2f}"


def test_alternate__turns_round_every_other_round() -> None:
    calls: list[str] = []

    def call(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    taken = alternate({name: partial(call, name) for name in "abc"}, 3)
    assert "".join(calls) == "abccbaabc"
    assert taken == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}


def test_ratios__are_of_the_same_round_and_their_middle_counts() -> None:
    (found,) = ratios([ONE], {"ours": [1.0, 3.0, 20.0], "theirs": [1.0, 2.0, 10.0]})
    assert (found.low, found.median, found.high) == (1.25, 1.5, 1.75)
    assert found.cells == ("a", "b", "1.50 (1.25 to 1.75)", "1.50", "yes")


@pytest.mark.parametrize(
    ("most", "ours", "said"), [(1.5, 1.506, ("1.50", "no")), (None, 99.0, ("none", ""))]
)
def test_ratio__holds_its_limit_as_it_is_printed(
    most: float | None, ours: float, said: tuple[str, str]
) -> None:
    one = Comparison(what="a", against="b", ours="ours", theirs="theirs", most=most)
    (found,) = ratios([one], {"ours": [ours], "theirs": [1.0]})
    assert found.cells[3:] == said
    assert found.holds == (most is None)


def test_missing__says_what_was_not_compared() -> None:
    needs = Comparison(what="c", against="d", ours="ours", theirs="x", needs="the package openai")
    rounds = {"ours": [1.0], "theirs": [1.0]}
    assert [one.comparison for one in ratios([ONE, needs], rounds)] == [ONE]
    assert list(missing([ONE, needs], rounds)) == [
        "Skipped, since the package openai is not here: c against d."
    ]


@pytest.mark.parametrize("part", PARTS)
def test_part__compares_different_things_once(part: str) -> None:
    lines = PARTS[part].COMPARISONS
    assert len({(one.what, one.against) for one in lines}) == len(lines)
    assert all(one.ours != one.theirs for one in lines)


@pytest.mark.timeout(120)
def test_command__measures_a_part_and_prints_its_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "read", "--rounds", "1", "--markdown"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert [(what, against) for what, against, *_ in table(done.stdout)] == [
        (one.what, one.against) for one in PARTS["read"].COMPARISONS
    ]
    assert f"Python {sys.version.split()[0]}" in done.stdout


def test_command__of_no_such_part() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "reading"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 2
    assert "there is no part reading; the parts are import, read, call" in done.stderr


def test_docs__have_the_lines_that_the_command_prints() -> None:
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    stated = [(what, against, most) for what, against, _, most, _ in table(page)]
    assert stated == [(one.what, one.against, limit(one)) for one in DECLARED]


def test_markdown__is_a_table() -> None:
    assert markdown(ratios([ONE], {"ours": [1.0], "theirs": [2.0]})) == (
        "| what | against | ratio | limit | holds |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| a | b | 0.50 (0.50 to 0.50) | 1.50 | yes |"
    )


def test_readme__has_the_figures_of_the_docs() -> None:
    page = table((ROOT / "docs" / "speed.md").read_text(encoding="utf-8"))
    medians = {(what, against): ratio.split()[0] for what, against, ratio, *_ in page}
    plain = "plain requests and `json`"
    expected = {
        "import and construct": ("import and construct a `Client`", "`import requests`"),
        "retrieve a job": ("retrieve a job, without msgspec", plain),
        "list 100 jobs": ("list 100 finished jobs, without msgspec", plain),
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    stated = dict(
        re.findall(r"^\| \[([^]]+)\]\(docs/speed\.md\) \| (.+?) \|", readme, re.MULTILINE)
    )
    assert {name: re.findall(r"\d\.\d\d", said) for name, said in stated.items()} == {
        name: [medians[what, "the official SDK"], medians[what, against]]
        for name, (what, against) in expected.items()
    }
