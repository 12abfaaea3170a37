"""A server with a repository whose passes are endorsed, worked by hand, on both databases."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.assess.conftest import Once, Origin, Shop

from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId
from assaymark.server.service import open_service
from assaymark.server.settings import load
from assaymark.server.work import endorsing_terms
from assaymark.server.work.endorsing import endorse
from assaymark.server.work.endorsing_terms import EndorsingTerms
from assaymark.store import endorsements
from assaymark.store.endorsements import EndorsementRow

LOCK = (
    b'{"name": "shop", "lockfileVersion": 3, "packages": {"": {"name": "shop"},'
    b' "node_modules/left-pad": {"version": "1.3.0", "resolved": "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz"}}}'
)

WITH_LOCK: dict[str, Any] = {"app": b"def run(name):\n    return name\n", "package-lock.json": LOCK}


class Endorsing(Shop):
    """A shop that endorses."""

    def set_terms(self, team: TeamId | None = None, **values: Any) -> None:
        with self.service.database.write() as link:
            endorsing_terms.put(link, team, EndorsingTerms(**values), self.service.now())

    def passes(self, message: str = "change", before: str = "", **files: Any) -> AssessmentId:
        """A commit that passes, judged."""
        number = self.push(self.origin.commit(message, **(files or {"app": self.fine})), before=before)
        assert self.assess(number).state == "pass"
        return number

    def endorse(self, number: AssessmentId, **asked: Any) -> EndorsementRow | None:
        endorse(self.service, {"assessment": number, **asked}, Once())
        return self.endorsed(number)

    def endorsed(self, number: AssessmentId) -> EndorsementRow | None:
        with self.service.database.read() as link:
            return endorsements.of_assessment(link, number, self.service.now())

    def endorsed_one(self, number: AssessmentId, **asked: Any) -> EndorsementRow:
        found = self.endorse(number, **asked)
        assert found is not None
        return found


@pytest.fixture
def make_shop(tmp_path: Path, warm_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Endorsing]]:
    monkeypatch.setenv("ASSAYMARK_CACHE", str(warm_cache))
    made: list[Endorsing] = []

    def make(url: str) -> Endorsing:
        options = {"data": str(tmp_path / "data"), "database": url, "local_repositories": str(tmp_path / "git")}
        shop = Endorsing(open_service(load({"HOME": str(tmp_path)}, **options)), Origin(tmp_path / "git" / "shop"))
        made.append(shop)
        return shop

    yield make
    for each in made:
        each.service.database.close()


@pytest.fixture
def shop(make_shop: Callable[[str], Endorsing], database_url: str) -> Endorsing:
    return make_shop(database_url)


@pytest.fixture
def lite(make_shop: Callable[[str], Endorsing], make_database: Callable[[str], str]) -> Endorsing:
    """The same on SQLite alone, for what does not ask much of a database."""
    return make_shop(make_database("sqlite"))
