"""Certificates take a moment to make: once for all tests here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.faults.certificates import Certificates

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("certificates")
    return Certificates.make(folder)
