"""What is taken away of a machine's copies, and what is not."""

from __future__ import annotations

import os
from typing import Any

from assaymark.server.work.tidying import clean_mirrors
from assaymark.store import tables


def test_copies_of_what_ended_go_and_those_in_use_stay(shop: Any) -> None:
    head = shop.origin.commit(a=shop.fine)
    shop.assess(shop.push(head))
    mirrors = shop.service.settings.data / "mirrors"
    for name in ("999.git", "1.git.broken-00", "2.git.broken-01", "other"):
        (mirrors / name).mkdir()
    os.utime(mirrors / "1.git.broken-00", (1, 1))
    clean_mirrors(shop.service, {}, shop.attempt())
    assert {path.name for path in mirrors.iterdir() if path.is_dir()} == {"1.git", "2.git.broken-01", "other"}
    with shop.service.database.write() as link:
        link.execute(tables.repository.update().values(ended_at=1))
    clean_mirrors(shop.service, {}, shop.attempt())
    assert not (mirrors / "1.git").exists()


def test_there_may_be_nothing(shop: Any) -> None:
    clean_mirrors(shop.service, {}, shop.attempt())
