"""The package gives each of its names, once, and whichever way it is asked."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import finetune_client.models
from finetune_client import models

INTERNAL = {"checks", "codec", "request_problems", "times"}
"""What the models are made with; none of its names is the package's."""


def modules() -> list[str]:
    return [found.name for found in pkgutil.walk_packages(models.__path__)]


def test_all__is_every_name_of_every_module_of_models() -> None:
    found = pkgutil.walk_packages(models.__path__, "finetune_client.models.")
    homes = [importlib.import_module(one.name) for one in found if not one.ispkg]
    public = [home for home in homes if home.__name__.rpartition(".")[2] not in INTERNAL]
    named = sorted([name for home in public for name in home.__all__] + ["Bounds", "Limits"])
    assert sorted(models.__all__) == named
    assert len(named) == len(set(named))


def test_all__can_be_had_by_name_and_by_star() -> None:
    space: dict[str, object] = {}
    exec("from finetune_client.models import *", space)
    for name in models.__all__:
        assert space[name] is getattr(models, name)
        assert name in dir(finetune_client.models)


def test_all__has_no_name_that_a_module_would_hide() -> None:
    assert not set(models.__all__) & set(modules())


def test_type_checkers__see_the_same_names() -> None:
    tree = ast.parse(Path(str(models.__file__)).read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and str(node.module).startswith(("finetune_client.models", "finetune_client.providers"))
        for alias in node.names
    }
    assert imported == set(models.__all__)


def test_every_class__says_what_it_is() -> None:
    for name in models.__all__:
        found = getattr(models, name)
        if inspect.isclass(found):
            assert found.__doc__
            assert not found.__doc__.startswith(f"{name}(")


def test_aliases__are_the_same_class() -> None:
    assert models.SupervisedHyperparameters is models.Hyperparameters
