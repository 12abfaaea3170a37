"""A server that was told whom to believe, images that it holds endorsements of, people who look, and clusters that ask."""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.testclient import TestClient
from tests.endorsement.approvals import KEY, RESOURCE, VERIFIER, claims

from assaymark.endorsement import approval, bundle, dsse
from assaymark.endorsement.approval import APPROVED, Extension, stamp
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.endorsement.trust import TrustRoot
from assaymark.model.access import Grant, PersonId, Principal, Role, TeamId
from assaymark.model.assessment import SECOND, AssessmentId, Instant, SubjectId
from assaymark.model.digest import sha256
from assaymark.server.app import make_app
from assaymark.server.service import Service
from assaymark.store import endorsements, people, tables, trust
from assaymark.store.endorsements import Index, New
from assaymark.store.people import Draft
from assaymark.store.trust import Stated

API = "/api/v1"
DAY = 86_400 * SECOND
_NUMBERS = itertools.count(1)


def believe(service: Service, *roots: TrustRoot) -> None:
    """The key of the tests speaks for their verifier."""
    with service.database.write() as link:
        said = Stated(roots or (TrustRoot("tests", VERIFIER, (KEY.public.pem,)),))
        trust.add(link, trust.Draft(service.now(), "ana", "", said))


def endorse(service: Service, digest: str, *, days: float = 30, environments: tuple[str, ...] = ("production",)) -> str:
    """A signed endorsement of an image, as the server keeps it; its name."""
    now = Instant(service.now() // SECOND * SECOND)
    ends = Instant(int(now + days * DAY))
    claimed = claims(time_verified=stamp(now), extension=Extension(stamp(ends), environments=environments))
    payload = approval.write((Named("app", {"sha256": digest.removeprefix("sha256:")}),), claimed)
    kept = service.blobs.put(bundle.written(dsse.sign(PAYLOAD_TYPE, payload, KEY)))
    name = f"image-{next(_NUMBERS)}"
    with service.database.write() as link:
        t = tables.subject
        of_subject = {"kind": "image", "key": name, "name": name, "created_at": now}
        subject = link.execute(t.insert().returning(t.c.id), of_subject).scalar_one()
        a = tables.assessment
        of_assessment = {"subject": subject, "trigger": "push", "queued_at": now, "state": "done", "actor": ""}
        assessment = link.execute(a.insert().returning(a.c.id), of_assessment).scalar_one()
        new = New(
            digest=sha256(payload), bundle=kept, assessment=AssessmentId(assessment), subject=SubjectId(subject), team=None, kind="image",
            head=digest, resource=RESOURCE, verifier=VERIFIER, engine="assaymark@0.1.0", rules="", policy="", advisories="", verdict="",
            levels=(APPROVED,), environments=environments, approved_by=(), verified_at=now, expires_at=ends, made_at=now,
        )  # fmt: skip
        endorsements.add(link, new, Index((digest,), (KEY.public.id,)))
    return str(new.digest)


class Moved:
    """A clock that tests move on."""

    def __init__(self, service: Service) -> None:
        self._real, self.ahead = service.now, 0

    def __call__(self) -> Instant:
        return Instant(self._real() + self.ahead)


class Desk(Struct):
    """Callers of an application, people and clusters."""

    client: TestClient
    service: Service
    clock: Moved
    team: TeamId

    def ask(self, who: str, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = self.client.request(method, API + path, json=body, headers={"Authorization": f"Bearer {who}"})
        assert answer.status_code == status, answer.text
        if not answer.content or answer.headers["content-type"] == "application/yaml":
            return answer.text
        return answer.json()

    def page(self, who: str, method: str, address: str, status: int = 200, /, **form: str) -> str:
        headers = {"Authorization": f"Bearer {who}", "Sec-Fetch-Site": "same-origin"}
        answer = self.client.request(method, address, data=form or None, headers=headers, follow_redirects=False)
        assert answer.status_code == status, answer.text
        return html.unescape(answer.text) if status != 303 else answer.headers["location"]

    def gate(self, name: str = "eu-1", **given: Any) -> Any:
        """Its number and token."""
        return self.ask("ad", "POST", "/admission-gates", {"name": name, "environment": "production", "enforces": True} | given, status=201)

    def review(self, token: str, document: Any, *, status: int = 200) -> Any:
        """An AdmissionReview, as a cluster sends it."""
        answer = self.client.post("/admission/k8s", content=json.dumps(document), headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status, answer.text
        return answer.json()["response"] if status == 200 else answer.json()


def pod(*images: str, **of_request: Any) -> dict[str, Any]:
    """A review of one that is made."""
    made: dict[str, Any] = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-7d9-x2", "generateName": "web-7d9-", "namespace": "shop"},
        "spec": {"containers": [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]},
    }  # fmt: skip
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE",
        "name": "web-7d9-x2", "namespace": "shop", "object": made, "oldObject": None, "dryRun": False, "userInfo": {"username": "alice"},
    }  # fmt: skip
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request | of_request}


@contextmanager
def opened(service: Service) -> Iterator[Desk]:
    clock = Moved(service)
    service = msgspec.structs.replace(service, now=clock)
    known: dict[str, Principal] = {}
    with service.database.write() as link:
        row = {"slug": "shop", "name": "Shop", "created_at": 0}
        team = TeamId(link.execute(tables.team.insert().returning(tables.team.c.id), row).scalar_one())
        roles = {"ad": Grant(Role.ADMIN), "vi": Grant(Role.VIEWER), "in": Grant(Role.VIEWER, team), "boss": Grant(Role.ADMIN, team)}
        for login, grant in roles.items():
            number = people.add(link, Draft(login), at=service.now())
            known[login] = Principal(PersonId(number or 0), login, (grant,))

    def identify(_service: Service, request: Request) -> Principal | None:
        return known.get(request.headers.get("authorization", "").removeprefix("Bearer "))

    believe(service)
    with TestClient(make_app(service, identify=identify), base_url=service.settings.url) as client:
        yield Desk(client, service, clock, team)
