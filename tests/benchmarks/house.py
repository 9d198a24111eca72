"""The structural figures of the package: how large, how deep, what it loads, what one call runs.

python -m tests.benchmarks.house [--root DIR] [--check]

With ``--root`` it measures another checkout of the project, with ``--check`` it exits with 1 if a
figure misses its bar. How the figures are counted, where the table's notes are too short for it:

- Every ``.py`` file is a module, a package's ``__init__`` too, under the package's name. An import
  names the module that stands in the statement: ``from p import name`` is an import of ``p.name``
  if that is a module, else of ``p``. That an import also runs the ``__init__`` of each package
  above is not counted as an import, nor are names that a package loads on first use (PEP 562),
  but for the ``if TYPE_CHECKING`` imports that declare them.
- There are three kinds of import: "runtime" runs when the module is loaded, "typing" stands under
  ``if TYPE_CHECKING``, "function" runs when a function is called.
- A module has one importer if one other module imports it, by imports of any kind.
- The depth is the number of modules in the longest chain of imports. A cycle counts with all its
  modules, each once.
- One ``retrieve`` is the second one of a client, counted in its own thread: each entry of a Python
  function whose code stands in a file of the package (so without dataclasses' generated
  ``__init__``), a comprehension or a resumed generator being an entry too. The bars are for the
  shortest job there is, which a stub of requests' adapter returns without a connection.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import platform
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from tests.benchmarks.answers import QUEUED_JOB
from tests.benchmarks.comparing import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    import requests

PACKAGE = "finetune_client"
USE = f"from {PACKAGE} import Client; Client(api_key='x').jobs"
KINDS = (("runtime",), ("runtime", "typing"), ("runtime", "function"))

SHORT_JOB: dict[str, Any] = {"id": "ftjob-abc123"}


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    note: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the value is beyond the figure's bar."""
        over = self.most is not None and self.value > self.most
        return over or (self.least is not None and self.value < self.least)

    def __str__(self) -> str:
        value = str(self.value) if isinstance(self.value, int) else f"{self.value:.2f}"
        bar = f"<= {self.most}" if self.most is not None else ""
        bar = f">= {self.least}" if self.least is not None else bar
        verdict = "MISSED" if self.missed else "met" if bar else ""
        return f"{self.name:<52} {value:>6}  {bar:<7} {verdict:<6}  {self.note}".rstrip()


def modules(root: Path) -> dict[str, Path]:
    """Return the modules of a checkout: name -> file."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if path.name == "__init__.py" else parts)] = path
    return found


def package_of(path: Path, root: Path) -> str:
    """Return the folder right under the package that a file stands in."""
    parts = path.relative_to(root / PACKAGE).parts
    return parts[0] if len(parts) > 1 else "(root)"


def lines(folder: Path) -> int:
    """Count the lines of Python in a folder that are not blank."""
    texts = (path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    return sum(bool(line.strip()) for text in texts for line in text.splitlines())


def size_figures(root: Path) -> list[Figure]:
    """Count the modules."""
    files = modules(root).values()
    packages = Counter(package_of(path, root) for path in files)
    outside = len(files) - packages["local"] - packages["cli"]
    return [
        Figure("modules", len(files)),
        *(Figure(f"  {name}", count) for name, count in sorted(packages.items())),
        Figure("modules outside local and cli", outside, most=115),
    ]


def test_figures(root: Path) -> list[Figure]:
    """Compare the tests with the package."""
    package, tests = root / PACKAGE, root / "tests"
    files = (path for path in modules(root).values() if not path.name.startswith("__"))
    own = {path.relative_to(package).with_suffix("") for path in files}
    tested = {
        path.relative_to(tests).with_name(path.stem.removeprefix("test_"))
        for path in tests.rglob("test_*.py")
    }
    names, tested_names = {path.name for path in own}, {path.name for path in tested}
    ratio = lines(tests) / lines(package)
    by_name, by_path = "test_x.py for x.py in any folder", "tests/a/test_x.py for a/x.py"
    return [
        Figure("tests : source", ratio, "lines of *.py that are not blank", least=1.1),
        Figure("test modules without a module of their name", len(tested_names - names), by_name),
        Figure("modules without a test module of their name", len(names - tested_names), by_name),
        Figure("test modules without a module of their path", len(tested - own), by_path),
        Figure("modules without a test module of their path", len(own - tested), by_path),
    ]


def statements(tree: ast.AST, kind: str = "runtime") -> Iterator[tuple[ast.stmt, str]]:
    """Yield every import statement with its kind."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, kind
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from statements(ast.Module(node.body, []), "typing")
            yield from statements(ast.Module(node.orelse, []), kind)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and kind == "runtime":
            yield from statements(node, "function")
        else:
            yield from statements(node, kind)


def named(node: ast.stmt) -> list[str]:
    """Return the dotted names that an import statement may take a module by."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    assert isinstance(node, ast.Import)
    return [alias.name for alias in node.names]


def import_graph(root: Path, *kinds: str) -> dict[str, set[str]]:
    """Return module -> the other modules of the package that it imports, by these kinds alone."""
    files = modules(root)
    graph: dict[str, set[str]] = {}
    for module, path in files.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {name for node, kind in statements(tree) if kind in kinds for name in named(node)}
        targets = {name if name in files else name.rpartition(".")[0] for name in names}
        graph[module] = (targets & files.keys()) - {module}
    return graph


def single_importer(graph: dict[str, set[str]]) -> int:
    """Count the modules that one other module imports."""
    importers = Counter(target for targets in graph.values() for target in targets)
    return sum(count == 1 for count in importers.values())


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """Return all that a module imports, itself or through others."""
    found: set[str] = set()
    new = {start}
    while new:
        new = {target for module in new for target in graph[module]} - found
        found |= new
    return found


def cycles(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Return the sets of modules that import one another, round about or directly."""
    reach = {module: reachable(graph, module) for module in graph}
    groups = {
        tuple(sorted(other for other in reach[module] if module in reach[other]))
        for module in graph
    }
    return sorted(group for group in groups if group)


def longest_chain(graph: dict[str, set[str]]) -> tuple[str, ...]:
    """Return the longest chain of imports; a cycle stands in it with all its modules."""
    group_of: dict[str, tuple[str, ...]] = {module: (module,) for module in graph}
    group_of |= {module: group for group in cycles(graph) for module in group}

    @cache
    def chain(group: tuple[str, ...]) -> tuple[str, ...]:
        below = {group_of[target] for module in group for target in graph[module]} - {group}
        return group + max(map(chain, sorted(below)), key=len, default=())

    return max((chain(group_of[module]) for module in graph), key=len)


def import_figures(root: Path) -> list[Figure]:
    """Count importers, the depth and the cycles."""
    graphs = [import_graph(root, *kinds) for kinds in KINDS]
    depths = [len(longest_chain(graph)) for graph in graphs]
    loops = [len(cycles(graph)) for graph in graphs]
    everything = import_graph(root, "runtime", "typing", "function")
    return [
        Figure("modules with one importer", single_importer(everything), "imports of any kind"),
        Figure("import depth", depths[0], "runtime imports", most=12),
        Figure("import depth, typing too", depths[1], "and under TYPE_CHECKING"),
        Figure("import depth, functions too", depths[2], "runtime, and inside functions"),
        Figure("import cycles", loops[0], "runtime imports", most=0),
        Figure("import cycles, typing too", loops[1], "and under TYPE_CHECKING", most=0),
        Figure("import cycles, functions too", loops[2], "runtime, and inside functions"),
    ]


def import_details(root: Path) -> Iterator[str]:
    """Yield the cycles and the longest chain by name."""
    for kinds in KINDS:
        for group in cycles(import_graph(root, *kinds)):
            yield f"cycle of {' and '.join(kinds)} imports: {', '.join(group)}"
    yield f"longest chain of imports: {' > '.join(longest_chain(import_graph(root, *KINDS[0])))}"


def in_child(root: Path, code: str) -> str:
    """Return what code prints in an interpreter of its own, which imports from a checkout."""
    code = f"import sys, time; sys.path.insert(0, {str(root)!r}); {code}"
    command = [sys.executable, "-I", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def loaded(root: Path, statement: str) -> list[str]:
    """Return the modules that an interpreter holds after a statement."""
    return in_child(root, f"{statement}; print(*sys.modules)").split()


def seconds(root: Path, statement: str) -> float:
    """Return the processor's seconds that a statement takes in a new interpreter."""
    begin, end = "begin = time.process_time()", "print(time.process_time() - begin)"
    return float(in_child(root, f"{begin}; {statement}; {end}"))


def load_figures(root: Path) -> list[Figure]:
    """Count what importing the package and making a client loads."""
    held, alone = loaded(root, USE), loaded(root, "import requests")
    own = sum(name.partition(".")[0] == PACKAGE for name in held)
    return [
        Figure("our modules loaded for client.jobs", own, USE, most=70),
        Figure("modules loaded for client.jobs", len(held), "all of sys.modules"),
        Figure("modules loaded by requests", len(alone), "import requests"),
    ]


class QueuedJob(BaseHTTPRequestHandler):
    """Answer every GET with the same job."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a queued job."""
        body = json.dumps(QUEUED_JOB).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep the table free of the server's log."""


@contextmanager
def server() -> Iterator[str]:
    """Run a server on a port of its own, and give its base URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), QueuedJob) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/v1"
        listening.shutdown()


def answer(
    adapter: HTTPAdapter, request: requests.PreparedRequest, **_: object
) -> requests.Response:
    """Answer with the shortest job, in the place of `HTTPAdapter.send`."""
    body = io.BytesIO(json.dumps(SHORT_JOB).encode())
    headers = {"Content-Type": "application/json"}
    raw = HTTPResponse(body, headers, 200, preload_content=False)
    return adapter.build_response(request, raw)


def entries(root: Path, base_url: str) -> list[str]:
    """Return the file of each function of ours that a client's second `retrieve` enters."""
    from finetune_client import Client  # of the checkout that is measured

    folder = str(root / PACKAGE)
    found: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(folder):
            found.append(frame.f_code.co_filename)

    with Client(api_key="sk-benchmark", base_url=base_url) as client:
        client.jobs.retrieve(SHORT_JOB["id"])
        sys.setprofile(note)
        try:
            client.jobs.retrieve(SHORT_JOB["id"])
        finally:
            sys.setprofile(None)
    return found


def call_figures(root: Path) -> list[Figure]:
    """Count what one `client.jobs.retrieve` runs through."""
    sys.path.insert(0, str(root))
    with patch.object(HTTPAdapter, "send", answer):
        short = entries(root, "https://api.openai.com/v1")
    with server() as base_url:
        queued = entries(root, base_url)
    plain, real = "a job of an id alone, no connection", "a queued job from a server on 127.0.0.1"
    return [
        Figure("calls of ours in one retrieve", len(short), plain, most=80),
        Figure("modules of ours in one retrieve", len(set(short)), plain, most=16),
        Figure("calls of ours in one retrieve over a socket", len(queued), real),
        Figure("modules of ours in one retrieve over a socket", len(set(queued)), real),
    ]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Print the structural figures of the package.")
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout to measure")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    options = parser.parse_args()
    root = options.root.resolve()
    parts = (size_figures, import_figures, load_figures, call_figures, test_figures)
    figures = [figure for part in parts for figure in part(root)]
    print(f"Python {platform.python_version()}", *figures, sep="\n")
    print(*(line.replace(f"{PACKAGE}.", "") for line in import_details(root)), sep="\n")
    return int(options.check and any(figure.missed for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
