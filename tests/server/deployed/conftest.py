from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.server.deployed.house import House, opened

from assaymark.server.service import Service


@pytest.fixture
def house(service: Service) -> Iterator[House]:
    with opened(service) as made:
        yield made
