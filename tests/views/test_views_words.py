"""Every state, reason and kind that a verdict may hold has its words in every format: no member of an enumeration is forgotten."""

from __future__ import annotations

import msgspec
import pytest
from tests.views.views_sample import rich

from assaymark.model.verdict import Reason, ReasonKind, State
from assaymark.views.formats import FORMATS, renderer
from assaymark.views.options import Options

GIVEN = Options(started="2026-11-23T10:00:00", finished="2026-11-23T10:00:01")


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_reason_can_be_told(name: str) -> None:
    for kind in ReasonKind:
        reasons = (Reason(kind, "what happened", "what to do", stops=kind is not ReasonKind.EXCEPTION),)
        assert renderer(name)(msgspec.structs.replace(rich(), reasons=reasons), GIVEN)


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_state_can_be_told(name: str) -> None:
    for state in State:
        judged = tuple(msgspec.structs.replace(one, state=state) for one in rich().findings)
        assert renderer(name)(msgspec.structs.replace(rich(), findings=judged), GIVEN)
