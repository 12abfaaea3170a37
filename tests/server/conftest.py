"""For everything about the server: a password hash that costs nothing; what one costs in earnest is tried in ``people``."""

from __future__ import annotations

import argon2
import pytest

from assaymark.server.people import password


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "HASHER", argon2.PasswordHasher(1, 8, 1))
