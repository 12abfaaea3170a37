from __future__ import annotations

from pathlib import Path

import pytest
from tests.endorsement.asking.pipeline import Pipeline


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path / "work")
