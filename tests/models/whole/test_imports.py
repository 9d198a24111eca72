"""The types need nothing that is not in the standard library, not even `requests`."""

from __future__ import annotations

import subprocess
import sys

import pytest

import finetune_client.models

EVERYTHING = "from finetune_client.models import *"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True, timeout=50
    )


@pytest.mark.parametrize("statement", ["import finetune_client.models", EVERYTHING])
def test_import__loads_the_standard_library_alone(statement: str) -> None:
    report = run("-X", "importtime", "-c", statement).stderr
    bare = run("-X", "importtime", "-c", "pass").stderr
    attempted = {"org"}  # Jython's, which `copy` asks for
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in report.splitlines()}
    before = {line.rpartition("|")[2].strip().partition(".")[0] for line in bare.splitlines()}
    assert loaded - before - set(sys.stdlib_module_names) - attempted == {"finetune_client"}


def test_import__works_where_requests_cannot_be_imported() -> None:
    blocked = "import sys; sys.modules['requests'] = None; sys.modules['urllib3'] = None; "
    use = "; print(FineTuningJob.from_dict({'id': 'a'}), FineTuningJobRequest().problems())"
    assert run("-c", blocked + EVERYTHING + use).stdout == (
        "FineTuningJob(id='a') ['model: is missing', 'training_file: is missing']\n"
    )


def test_import__of_the_package_loads_no_type_before_it_is_used() -> None:
    code = "import sys, finetune_client.models; print([m for m in sys.modules if 'models.' in m])"
    assert run("-c", code).stdout == "[]\n"


def test_names__that_are_not_there() -> None:
    with pytest.raises(AttributeError) as caught:
        finetune_client.models.NoSuchType  # type: ignore[attr-defined]  # noqa: B018
    assert str(caught.value) == "module 'finetune_client.models' has no attribute 'NoSuchType'"
