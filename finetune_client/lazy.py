"""What is loaded on first use, so that importing the package stays cheap: names and attributes."""

from __future__ import annotations

import importlib
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["attach", "part"]


def attach(
    package: str, names: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return the ``__getattr__``, ``__dir__`` and ``__all__`` of `package` (PEP 562).

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


if TYPE_CHECKING:
    part = cached_property
else:

    class part(cached_property):  # noqa: N801 - a decorator, like the one it is made of
        """A `cached_property` that is, on the class, the class of its value.

        So ``mock.create_autospec(Client)`` sees what ``client.jobs`` can do, as it cannot with a
        property of which it knows no value.
        """

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            """Return the value, or the class that the function says it returns."""
            if instance is None:
                return get_type_hints(self.func)["return"]
            return super().__get__(instance, owner)
