"""A rule over components, over real merge requests: what the server judges stops a package that nothing endorsed, and warns before that."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.assess.test_policies import Office
from tests.endorsing.conftest import LOCK, Endorsing

from assaymark.model.assessment import AssessmentId
from assaymark.model.digest import Digest
from assaymark.model.verdict import Verdict
from assaymark.server.work.approved_index import index_approved

ONLY_GOOD = """\
kind: Policy
metadata: {name: components, version: "VERSION"}
rules:
  - id: only-known-good
    over: component
    when: '!component.approved'
    action: ACTION
    message: this component is not known to be good
    advice: take the version that is named
"""
EVIL = b'{"version": "0.0.1", "resolved": "https://registry.npmjs.org/evil/-/evil-0.0.1.tgz"}'
WORSE = LOCK.replace(b'"node_modules/left-pad"', b'"node_modules/evil": ' + EVIL + b', "node_modules/left-pad"')


class Once:
    number, is_last = 1, True

    def should_stop(self) -> bool:
        return False


def verdict(lite: Endorsing, number: AssessmentId) -> Verdict:
    row = lite.assess(number)
    return msgspec.json.decode(lite.service.blobs.get(Digest(row.verdict)), type=Verdict)


def test_a_merge_request_that_adds_what_nothing_endorsed_is_warned_of_and_then_stopped(lite: Endorsing) -> None:
    office = Office(lite)
    files: dict[str, Any] = {"app": lite.fine, "package-lock.json": LOCK}
    base = lite.passes("begin", **files)
    lite.endorsed_one(base)
    index_approved(lite.service, {}, Once())
    start = lite.assess(base).head
    for number, (version, action) in enumerate((("1", "warn"), ("2", "stop"))):
        office.activate(office.propose(ONLY_GOOD.replace("VERSION", version).replace("ACTION", action)))
        worse = lite.origin.commit(f"add evil {number}", **{"app": lite.fine, "package-lock.json": WORSE})
        found = verdict(lite, lite.request(worse, number=5 + number, base=start))
        (said,) = [reason for reason in found.reasons if reason.rule == "components/only-known-good"]
        assert "pkg:npm/evil@0.0.1: not-endorsed" in said.text, "left-pad is endorsed, and it was there before"
        assert said.stops is (action == "stop")
    assert found.outcome == "fail"
