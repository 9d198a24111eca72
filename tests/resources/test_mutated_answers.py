from __future__ import annotations

import warnings

import pytest

from finetune_client.errors import ShutdownWarning
from tests.support.mutated_answers import Fuzz


@pytest.mark.parametrize("seed", range(4))
def test_broken_answers__end_in_documented_errors_alone(seed: int) -> None:
    fuzz = Fuzz(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShutdownWarning)
        ends = fuzz.run(150)
    assert fuzz.failures == []
    assert ends["a result"]
    assert ends["APIResponseError"]
