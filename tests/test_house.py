"""The import graph that the structural figures are taken from, and what must hold of it today."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.house import cycles, import_graph, longest_chain, single_importer

ROOT = Path(__file__).parents[1]


def test_package__has_no_cycle_of_runtime_imports() -> None:
    assert cycles(import_graph(ROOT, "runtime")) == []


def test_import_graph__separates_the_kinds_of_import(tmp_path: Path) -> None:
    package = tmp_path / "finetune_client"
    (package / "inner").mkdir(parents=True)
    for name in ("a", "b", "c", "inner/__init__"):
        (package / f"{name}.py").touch()
    (package / "__init__.py").write_text(
        "import os\n"
        "from finetune_client import a, missing\n"
        "if TYPE_CHECKING:\n"
        "    import finetune_client.b\n"
        "else:\n"
        "    from finetune_client.inner import name\n"
        "def late() -> None:\n"
        "    from finetune_client.c import name\n",
        encoding="utf-8",
    )
    assert {
        kind: import_graph(tmp_path, kind)["finetune_client"]
        for kind in ("runtime", "typing", "function")
    } == {
        "runtime": {"finetune_client.a", "finetune_client.inner"},
        "typing": {"finetune_client.b"},
        "function": {"finetune_client.c"},
    }


def test_cycles__are_found_with_all_their_modules() -> None:
    graph = {"top": {"a"}, "a": {"b"}, "b": {"c", "end"}, "c": {"a"}, "end": set[str]()}
    assert cycles(graph) == [("a", "b", "c")]


def test_longest_chain__counts_a_cycle_with_all_its_modules() -> None:
    graph = {"top": {"a", "end"}, "a": {"b"}, "b": {"a", "end"}, "end": set[str]()}
    assert longest_chain(graph) == ("top", "a", "b", "end")


def test_single_importer__leaves_out_what_none_or_two_import() -> None:
    graph = {"none": {"one", "two"}, "one": {"two"}, "two": set[str]()}
    assert single_importer(graph) == 1
