from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.server.admission.clusters import Desk, opened

from assaymark.server.service import Service


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    with opened(service) as made:
        yield made
