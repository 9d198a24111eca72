"""A layer imports only what stands above it, and importing the package is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import finetune_client
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
NAME = "finetune_client"

VALUES = frozenset(
    {
        *(
            "atomic_file",
            "backports",
            "caller",
            "display",
            "file_digest",
            "file_lock",
            "lazy",
            "loopback",
            "plain_json",
            "tables",
        ),
        *("_version", "clock", "errors", "webhook_signature"),
    }
)
"""Modules that know nothing of the layers, and may be known by all."""

LAYERS: dict[str, frozenset[str]] = {
    "atomic_file": frozenset({"errors"}),
    "backports": frozenset(),
    "lazy": frozenset(),
    "_version": frozenset(),
    "clock": frozenset(),
    "caller": frozenset(),
    "display": frozenset(),
    "errors": frozenset(),
    "file_digest": frozenset(),
    "file_lock": frozenset(),
    "loopback": frozenset(),
    "plain_json": frozenset(),
    "tables": frozenset(),
    "svg": frozenset(),
    "webhook_signature": frozenset({"clock", "errors"}),
    "providers": VALUES,
    "models": VALUES | {"providers"},
    "training_data": VALUES | {"models", "providers"},
    "grading": VALUES,
    "ledger": VALUES,
    "metrics": VALUES | {"models", "svg"},
    "waiting": VALUES | {"models"},
    "webhooks": VALUES | {"models"},
    "transport": VALUES | {"providers"},
    "resources": VALUES
    | {"ledger", "models", "providers", "training_data", "metrics", "waiting", "webhooks"}
    | {"transport"},
    "job_files": VALUES | {"models", "providers", "resources"},
    "rerun": VALUES | {"models", "providers"},
    "client": VALUES | {"ledger", "local", "providers", "resources", "transport"},
    "local": VALUES | {"training_data", "grading", "svg"},
    NAME: VALUES | {"client", "models", "training_data", "webhooks"},
}
"""What each layer may import of the package; what is not named here is built on a client, and may
import anything."""

LATE = {
    ("cli", "ledger"),
    ("metrics", "matplotlib"),
    ("metrics", "pandas"),
    ("client", "ledger"),
    ("client", "local"),
    ("job_files", "tomli"),
    ("resources", "IPython"),
    ("resources", "ledger"),
    ("resources", "rich"),
    ("training_data", "msgspec"),
    ("training_data", "tiktoken"),
    ("transport", "msgspec"),
}
"""What is imported inside a function only: it need not be installed, or few need it."""

PURE = VALUES | {"grading", "ledger", "models", "svg", "waiting", "webhooks"}
"""Layers that have no third-party dependency, not even at import time."""

THIRD_PARTY: dict[str, frozenset[str]] = {
    **dict.fromkeys(PURE, frozenset()),
    "metrics": frozenset({"matplotlib", "pandas"}),
    "providers": frozenset(),
    "training_data": frozenset({"msgspec", "tiktoken"}),
    "transport": frozenset({"msgspec", "requests", "urllib3"}),
    "resources": frozenset({"IPython", "requests", "rich"}),
    "client": frozenset({"requests"}),
    "job_files": frozenset({"tomli", "tomllib"}),  # the latter is in Python from 3.11 on
    "rerun": frozenset(),
    NAME: frozenset(),
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((ROOT / NAME).rglob("*.py"))}


def layer(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def is_typing_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def statements(tree: ast.AST, *, late: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """Every import that runs, and whether it stands inside a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, late
        elif not (isinstance(node, ast.stmt) and is_typing_only(node)):
            inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from statements(node, late=inside)


def named(module: str, node: ast.stmt) -> list[str]:
    """The modules that an import statement names, in full."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert isinstance(node, ast.ImportFrom)
    base = node.module or ""
    if node.level:
        is_package = MODULES[module].name == "__init__.py"
        package = module.split(".") if is_package else module.split(".")[:-1]
        parts = package[: len(package) - node.level + 1]
        base = ".".join([*parts, *([node.module] if node.module else [])])
    if not base.startswith(NAME):
        return [base]
    return [full if (full := f"{base}.{alias.name}") in MODULES else base for alias in node.names]


@cache
def imports(module: str) -> list[tuple[str, bool]]:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    return [(name, late) for node, late in statements(tree) for name in named(module, node)]


@pytest.mark.parametrize("module", MODULES)
def test_layer__imports_only_what_stands_above_it(module: str) -> None:
    here = layer(module)
    if here not in LAYERS:
        return
    used = {layer(name) for name, _ in imports(module) if name.split(".")[0] == NAME}
    assert used - LAYERS[here] - {here} == set()


@pytest.mark.parametrize("module", MODULES)
def test_layer__third_parties_are_the_ones_it_may_have(module: str) -> None:
    here = layer(module)
    if here not in THIRD_PARTY:
        return
    found = {name.split(".")[0] for name, _ in imports(module)} - {NAME}
    assert found - sys.stdlib_module_names - THIRD_PARTY[here] == set()


@pytest.mark.parametrize("module", MODULES)
def test_optional__is_imported_where_it_is_needed(module: str) -> None:
    optional = {name for owner, name in LATE if owner == layer(module)}
    for name, late in imports(module):
        top = layer(name) if name.startswith(f"{NAME}.") else name.split(".")[0]
        assert late or top not in optional


def test_modules__have_no_cycles() -> None:
    edges = {
        module: {name for name, late in imports(module) if name in MODULES and not late} - {module}
        for module in MODULES
    }
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above, module))
        if module not in done:
            for other in edges[module]:
                visit(other, (*above, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a statement loads, in an interpreter of its own."""
    code = f"import sys; {statement}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
        check=True,
        capture_output=True,
        text=True,
        env=unmeasured(),
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import finetune_client",
        "import finetune_client.models",
        "from finetune_client import AUTO, FineTuningJob, NotFoundError",
        "import finetune_client.models.jobs, finetune_client.waiting, finetune_client.metrics",
        "from finetune_client import webhooks, training_data",
    ],
)
def test_import__loads_no_third_party_module(statement: str) -> None:
    third = {"requests", "urllib3", "certifi", "idna", "charset_normalizer", "flask", "numpy"}
    third |= {"click", "rich", "tiktoken", "msgspec", "typing_extensions", "hypothesis"}
    assert loaded_by(statement) & third == set()


def test_import__of_the_client_loads_requests_alone() -> None:
    loaded = loaded_by("from finetune_client import Client")
    assert "requests" in loaded
    assert loaded & {"flask", "numpy", "click", "rich", "tiktoken", "typing_extensions"} == set()
    assert loaded & {"sqlite3", "_sqlite3"} == set()


def test_names__are_all_importable_from_the_package() -> None:
    modules = {"training_data", "webhooks"}
    expected = {"Client", "__version__"}
    expected |= {*dir(finetune_client.models), *finetune_client.errors.__all__}
    assert set(dir(finetune_client)) - modules == expected
    for name in dir(finetune_client):
        assert getattr(finetune_client, name) is not None
    assert dir(finetune_client) == vars(finetune_client)["__all__"]


def test_names__unknown() -> None:
    with pytest.raises(AttributeError) as caught:
        finetune_client.nothing  # type: ignore[attr-defined]  # noqa: B018  # that is the point
    assert str(caught.value) == "module 'finetune_client' has no attribute 'nothing'"


def test_picture__in_the_docs_is_of_this_table() -> None:
    from tests.support.layer_picture import PICTURE, layer_picture

    assert PICTURE.read_text(encoding="utf-8") == layer_picture()
