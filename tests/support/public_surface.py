"""The public names and their signatures, as text in which a change shows.

What the pages of docs/reference name is public. ``python -m tests.support.public_surface`` writes
the text to tests/public_surface.txt.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_origin

import click

import finetune_client
from finetune_client.cli.commands import cli

__all__ = ["SURFACE", "public_surface"]

ROOT = Path(__file__).parents[2]
SURFACE = ROOT / "tests" / "public_surface.txt"

_NAMED = re.compile(r"^\.\. auto(module|class):: (\S+)$", re.MULTILINE)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_PLAIN = (str, int, float, bool, tuple, frozenset, types.NoneType)


def public_surface() -> str:
    """Return the text: module by module, then what their classes inherit, then the commands."""
    modules, alone = _named()
    classes: dict[type, None] = {}
    lines = ["# finetune_client", *dir(finetune_client)]
    for name in modules:
        module = importlib.import_module(name)
        lines += ["", f"# {name}"]
        for member in sorted(module.__all__):
            value = getattr(module, member)
            lines += _of_value(member, value)
            if inspect.isclass(value):
                classes[value] = None
    lines += ["", "# single classes"]
    for one in alone:
        lines += _of_value(f"{one.__module__}.{one.__name__}", one)
        classes[one] = None
    lines += ["", "# what they inherit"]
    inherited = {base for one in classes for base in one.__mro__ if _is_ours(base)} - set(classes)
    for base in sorted(inherited, key=lambda one: (one.__name__, one.__module__)):
        lines += _of_value(base.__name__, base)
    lines += ["", "# the command finetune", *_of_command("finetune", cli)]
    return "\n".join([*lines, ""])


def _named() -> tuple[list[str], list[type]]:
    """Return the modules that the reference names, and the classes that it names by themselves."""
    pages = sorted((ROOT / "docs" / "reference").glob("*.md"))
    found = [pair for page in pages for pair in _NAMED.findall(page.read_text(encoding="utf-8"))]
    modules = sorted(name for kind, name in found if kind == "module")
    paths = sorted(name.rpartition(".") for kind, name in found if kind == "class")
    return modules, [getattr(importlib.import_module(home), name) for home, _, name in paths]


def _is_ours(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).startswith("finetune_client")


def _of_value(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value) and get_origin(value) is None:
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {name}({bases})" if bases else f"class {name}"
        if _is_ours(value):
            for member in _members(value):
                yield f"    {member}"
    elif inspect.isfunction(value):
        yield f"{name}{_signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _members(cls: type) -> Iterator[str]:
    """Yield what the class itself adds: fields, constants, then functions, by name."""
    fields = (
        {field.name: field for field in dataclasses.fields(cls)}
        if dataclasses.is_dataclass(cls)
        else {}
    )
    own = vars(cls).get("__annotations__", {})
    for name, annotation in own.items():
        if not name.startswith("_"):
            yield f"{name}: {_written(annotation)}{_default(fields.get(name), vars(cls).get(name))}"
    for name, member in sorted(vars(cls).items()):
        if name == "__init__" and not fields and inspect.isfunction(member):
            yield f"__init__{_signature(member)}"
        elif not name.startswith("_") and name not in own:
            yield from _of_member(name, member)


def _of_member(name: str, member: Any) -> Iterator[str]:
    if isinstance(member, classmethod | staticmethod):
        yield f"{name}{_signature(member.__func__)}  # {type(member).__name__}"
    elif inspect.isfunction(member):
        yield f"{name}{_signature(member)}"
    elif isinstance(member, _PLAIN):
        yield f"{name} = {member!r}"
    elif not isinstance(member, types.MemberDescriptorType):
        function = getattr(member, "fget", None) or getattr(member, "func", None)
        returned = getattr(function, "__annotations__", {}).get("return", "Any")
        yield f"{name} -> {returned}  # attribute"


def _default(field: dataclasses.Field[Any] | None, constant: Any) -> str:
    if field is None:
        return f" = {constant!r}" if isinstance(constant, _PLAIN) and constant is not None else ""
    if field.default is not dataclasses.MISSING:
        return _ADDRESS.sub("", f" = {field.default!r}")
    return "" if field.default_factory is dataclasses.MISSING else " = ..."


def _signature(function: Any) -> str:
    """Return the parameters and what is returned, with annotations as they are written."""
    signature = inspect.signature(function)
    parameters = [
        one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values()
    ]
    texts = []
    marked = False
    for one, bare in zip(signature.parameters.values(), parameters, strict=True):
        if one.kind is one.KEYWORD_ONLY and not marked:
            texts.append("*")
        marked = marked or one.kind in {one.KEYWORD_ONLY, one.VAR_POSITIONAL}
        name, _, default = str(bare).partition("=")
        annotation = "" if one.annotation is one.empty else f": {_written(one.annotation)}"
        texts.append(f"{name}{annotation}{f' = {default}' if default else ''}")
    returned = signature.return_annotation
    result = "" if returned is signature.empty else f" -> {_written(returned)}"
    return _ADDRESS.sub("", f"({', '.join(texts)}){result}")


def _written(annotation: Any) -> str:
    text = getattr(annotation, "__forward_arg__", annotation)  # of a TypedDict
    return text if isinstance(text, str) else inspect.formatannotation(annotation)


def _of_command(path: str, command: click.Command) -> Iterator[str]:
    names = [
        "/".join([*one.opts, *one.secondary_opts])
        if isinstance(one, click.Option)
        else str(one.name).upper()
        for one in command.params
    ]
    yield " ".join([path, *names])
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _of_command(f"{path} {name}", inner)


if __name__ == "__main__":
    SURFACE.write_text(public_surface(), encoding="utf-8")
