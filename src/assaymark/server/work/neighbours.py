"""The list of what was taken back, asked for where this release has one; where it has none, nothing was."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import cast

import sqlalchemy as sa

from assaymark.endorsement.revocation import Revocation

_ROOM = "assaymark.store.revocations"


def revocations_of(link: sa.Connection) -> tuple[Revocation, ...]:
    """What was taken back."""
    if find_spec(_ROOM) is None:
        return ()
    return cast("tuple[Revocation, ...]", tuple(import_module(_ROOM).entries(link)))
