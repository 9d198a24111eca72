"""Names of a package that are loaded on first use (PEP 562), so that importing it stays cheap."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["attach"]


def attach(
    package: str, names: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return the ``__getattr__``, ``__dir__`` and ``__all__`` of `package`.

    Type checkers read the same names in the package's ``__init__.pyi``.

    Args:
        package: The package's ``__name__``.
        names: Submodule (as ``".errors"``) -> the names to take from it; its own name is itself.
    """
    homes = {name: module for module, members in names.items() for name in members}
    public = sorted(homes)

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(homes[name], package)
        value = module if homes[name] == f".{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return load, public.copy, public
