"""Whose key is believed, said by the API and on the page: by whom, with what is kept of it, and what makes no sense."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from tests.endorsement.approvals import KEY, RESOURCE, VERIFIER, claims
from tests.server.api.conftest import Made, make  # noqa: F401 - the fixture

from assaymark.endorsement import approval, bundle, dsse, keys
from assaymark.endorsement.approval import Extension, Verifier, stamp
from assaymark.endorsement.distribution import roots
from assaymark.endorsement.revocation import opened
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.endorsement.trust import TrustRoot
from assaymark.endorsement.trust import opened as opened_trust
from assaymark.endorsement.verify import Expected, verify
from assaymark.jobs.job import JobState
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.service import Service
from assaymark.server.work import distributing, trusting
from assaymark.store import log, tables, trail

API = "/api/v1/trust"
PAGE = "/settings/trust"
ROOT = {"name": "sister", "verifier": VERIFIER, "keys": [KEY.public.pem]}
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def database_url(make_database: Callable[[str], str]) -> str:
    """On SQLite: what is kept and how is asked of both by `test_signer_of`."""
    return make_database("sqlite")


@pytest.fixture
def made(make: Any) -> Made:  # noqa: F811 - the fixture
    found: Made = make()
    with found.service.database.write() as link:
        for login in ("admin", "viewer", "developer"):
            link.execute(tables.person.insert(), {"login": login, "handle": login.encode(), "created_at": 0})
        for slug in ("blue", "red"):
            link.execute(tables.team.insert(), {"slug": slug, "name": slug, "created_at": 0})
    return found


def put(made: Made, body: Any, who: str = "admin", **headers: str) -> Any:
    return made.client.put(API, json=body, headers={"Authorization": f"Bearer {who}", **headers})


def post(made: Made, who: str = "admin", /, **form: str) -> Any:
    return made.client.post(PAGE, data=form, headers={"Authorization": f"Bearer {who}"}, follow_redirects=False)


def form_of(**changed: str) -> dict[str, str]:
    return {"do": "add", "name": "sister", "verifier": VERIFIER, "keys": KEY.public.pem, "threshold": "1", "comment": "ours"} | changed


def kept(service: Service) -> tuple[list[str], list[dict[str, str]], list[Any]]:
    """Names of the roots that are in force, what the log says of keys, what the trail says of trust (both oldest first)."""
    with service.database.read() as link:
        roots = [root.name for root in trusting.trust_of(service, link).roots]
        lines = link.execute(sa.select(tables.log_entry.c.line).where(tables.log_entry.c.type == "key").order_by(tables.log_entry.c.seq))
        said = [json.loads(line)["details"] for line in lines.scalars()]
        rows = trail.page(link, trail.Filter(action="trust.changed"), before=None, limit=10)
    return roots, said, rows[::-1]


def test_a_root_that_is_said_stands_in_trail_and_log_and_is_published(made: Made) -> None:
    answer = put(made, {"roots": [ROOT], "comment": "they build our cranes"})
    assert (answer.status_code, answer.json()["comment"], answer.json()["actor"]) == (200, "they build our cranes", "admin")
    roots, said, rows = kept(made.service)
    assert roots == ["sister"]
    assert [(row.actor, row.outcome, dict(row.details)["roots"]) for row in rows] == [("admin", "success", "sister")]
    assert [(each["of"], each["root"], each["believed"], each["keys"]) for each in said] == [
        ("trust", "sister", "from now on", KEY.public.id)
    ]
    with made.service.database.read() as link:
        waiting = made.service.queue.rows(link, JobState.WAITING, before=None, limit=10)
    assert [row.job.kind for row in waiting] == [distributing.KIND]


def test_a_root_that_is_taken_back_is_told_by_the_log_as_well(made: Made) -> None:
    put(made, {"roots": [ROOT]})
    put(made, {"roots": [{**ROOT, "environments": ["staging"]}]})
    put(made, {"roots": []})
    roots, said, rows = kept(made.service)
    assert roots == []
    assert [each["believed"] for each in said] == ["from now on", "not any more", "from now on", "not any more"]
    assert len(rows) == 3
    with made.service.database.read() as link:
        assert log.size(link) == 4
    listed = made.client.get(f"{API}/versions", headers={"Authorization": "Bearer viewer"}).json()["items"]
    assert [len(each["stated"].get("roots", [])) for each in listed] == [0, 1, 1]


def test_what_does_not_change_is_no_line_of_the_log(made: Made) -> None:
    put(made, {"roots": [ROOT]})
    put(made, {"roots": [ROOT], "max_age_days": 30})
    _, said, rows = kept(made.service)
    assert (len(said), len(rows)) == (1, 2)


@pytest.mark.parametrize("who", ["viewer", "developer", "robot"])
def test_only_who_may_say_it_says_it(made: Made, who: str) -> None:
    assert put(made, {"roots": [ROOT]}, who).status_code == 403
    assert post(made, who, **form_of()).status_code == 403
    for path in ("/keys", "/distribution", "/root/draft"):
        assert made.client.post(API + path, json={}, headers={"Authorization": f"Bearer {who}"}).status_code == 403, path
    assert kept(made.service)[:2] == ([], [])


def test_nobody_in_particular_reads_none_of_it_and_takes_only_what_is_signed(made: Made) -> None:
    assert made.client.put(API, json={"roots": [ROOT]}).status_code == 401
    assert made.client.get(API).status_code == 401
    assert made.client.get(f"{API}/archive").headers["content-type"] == "application/x-tar"


PRIVATE = keys.new_key()[0].decode()
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"keys": ["hello"]}, "cannot be used"),
    ({"keys": [""]}, "cannot be used"),
    ({"keys": [PRIVATE]}, "cannot be used"),
    ({"keys": ["-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]}, "cannot be used"),
    ({"keys": []}, "can never be met"),
    ({"threshold": 2}, "can never be met"),
    ({"threshold": 2, "keys": [KEY.public.pem, KEY.public.pem]}, "can never be met"),
    ({"threshold": 0}, "can never be met"),
    ({"keys": [KEY.public.pem] * 17}, "more than 16 keys"),
    ({"verifier": " "}, "names no verifier"),
    ({"verifier": "v" * 501}, "names no verifier"),
    ({"name": "this server, key 1"}, "is no name of a root"),
    ({"name": ""}, "is no name of a root"),
    ({"since": "yesterday"}, "cannot be used"),
    ({"untill": "2027-01-01T00:00:00Z"}, "untill"),
]


@pytest.mark.parametrize(("changed", "why"), WRONG, ids=[f"{next(iter(each))}-{number}" for number, (each, _) in enumerate(WRONG)])
def test_a_root_that_makes_no_sense_is_refused_with_the_reason_and_nothing_is_kept(made: Made, changed: dict[str, Any], why: str) -> None:
    answer = put(made, {"roots": [ROOT | changed]})
    assert (answer.status_code, why in answer.text) == (400, True), answer.text
    assert "PRIVATE" not in answer.text
    assert kept(made.service) == ([], [], [])


def test_an_age_beyond_all_bounds_is_refused_on_the_page_as_well(made: Made) -> None:
    assert put(made, {"max_age_days": 10_001}).status_code == 400
    assert post(made, do="bounds", max_age_days="10001").status_code == 400
    assert post(made, do="bounds", max_age_days="-1").status_code == 400


def test_two_roots_of_one_name_are_refused(made: Made) -> None:
    assert put(made, {"roots": [ROOT, ROOT]}).status_code == 400
    assert put(made, {"roots": [ROOT | {"name": f"r{number}"} for number in range(201)]}).status_code == 400


def test_of_two_who_read_the_same_the_second_is_told(made: Made) -> None:
    tag = made.client.get(API, headers={"Authorization": "Bearer admin"}).headers["etag"]
    assert put(made, {"roots": [ROOT]}, **{"If-Match": tag}).status_code == 200
    assert put(made, {"roots": []}, **{"If-Match": tag}).status_code == 412
    assert kept(made.service)[0] == ["sister"]


def signed(verifier: str, at: Instant) -> bytes:
    claimed = claims(verifier=Verifier(verifier), time_verified=stamp(at), extension=Extension(stamp(Instant(at + 86_400 * SECOND))))
    payload = approval.write((Named("app", {"sha256": DIGEST.removeprefix("sha256:")}),), claimed)
    return bundle.written(dsse.sign(PAYLOAD_TYPE, payload, KEY))


def test_a_key_is_believed_for_the_verifier_that_it_was_said_for_and_no_other(made: Made) -> None:
    put(made, {"roots": [ROOT]})
    at = Instant(made.service.now() // SECOND * SECOND)
    with made.service.database.read() as link:
        document = opened_trust(trusting.trust_of(made.service, link))

    def refused(verifier: str) -> list[str]:
        found = verify(signed(verifier, at), DIGEST, Expected(RESOURCE), document, opened(()), now=at)
        return [each.reason.value for each in found.refused]

    assert refused(VERIFIER) == []
    assert refused(f"{made.service.settings.url}/verifier/1") == ["wrong-verifier"], "not for this server's own"
    assert refused("https://elsewhere.example/verifier/1") == ["wrong-verifier"]


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_adds_and_takes_out_with_the_same_marks(made: Made) -> None:
    assert post(made, **form_of(resources="git+https://a.example/*, pkg:npm/*", environments="production")).status_code == 303
    with made.service.database.read() as link:
        (root,) = trusting.trust_of(made.service, link).roots
    assert root == TrustRoot(
        "sister", VERIFIER, (KEY.public.pem,), resources=("git+https://a.example/*", "pkg:npm/*"), environments=("production",)
    )
    assert post(made, do="bounds", max_age_days="30", log_required="yes").status_code == 303
    assert post(made, do="remove", root="sister").status_code == 303
    roots, said, rows = kept(made.service)
    assert roots == []
    assert [each["believed"] for each in said] == ["from now on", "not any more"]
    assert len(rows) == 3
    with made.service.database.read() as link:
        assert trusting.trust_of(made.service, link).max_age_days == 30, "taking out a root leaves the bounds"


def test_several_keys_are_pasted_one_after_the_other(made: Made) -> None:
    pems = [keys.new_key(kind)[1].pem for kind in ("p256", "ed25519")]
    assert post(made, **form_of(keys="\r\n".join(pems).replace("\n", "\r\n"), threshold="2")).status_code == 303
    with made.service.database.read() as link:
        (root,) = trusting.trust_of(made.service, link).roots
    assert (root.keys, root.threshold) == (tuple(pems), 2)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"keys": "hello"}, "cannot be used"),
        ({"keys": PRIVATE}, "cannot be used"),
        ({"threshold": "many"}, "is no number"),
        ({"threshold": "2"}, "can never be met"),
        ({"verifier": ""}, "names no verifier"),
        ({"name": "this server"}, "is no name"),
    ],
)
def test_the_page_says_what_is_wrong_and_keeps_what_was_typed(made: Made, changed: dict[str, str], why: str) -> None:
    answer = post(made, **form_of(**changed))
    assert (answer.status_code, why in answer.text) == (400, True), answer.text[:3000]
    assert 'value="ours"' in answer.text, "the reason as well"
    assert "PRIVATE" not in answer.text, "a private key does not go back over the wire"
    assert kept(made.service) == ([], [], [])


def test_what_somebody_else_took_out_meanwhile_is_said(made: Made) -> None:
    answer = post(made, do="remove", root="sister")
    assert (answer.status_code, "may have been taken out by somebody else" in answer.text) == (400, True)
    assert post(made, do="dance").status_code == 400


def test_another_key_is_told_by_trail_and_log(made: Made) -> None:
    for comment in ("first", "as every year"):
        assert post(made, do="rotate", comment=comment).status_code == 303
    roots, said, _ = kept(made.service)
    assert len(roots) == 2
    with made.service.database.read() as link:
        rows = trail.page(link, trail.Filter(action="endorsing-key.added"), before=None, limit=10)
    assert [row.actor for row in rows] == ["admin", "admin"]
    assert [each["of"] for each in said] == ["endorsing"], "the first key is named by what it signs"
    assert "PRIVATE" not in json.dumps(said)


def test_the_page_lets_other_keys_sign_what_is_published_while_the_root_lies_here(made: Made) -> None:
    before = distributing.state_of(made.service)
    headers = {"Authorization": "Bearer admin"}
    assert "Let other keys sign" in made.client.get(PAGE, headers=headers).text
    assert post(made, do="renew").status_code == 303
    after = distributing.state_of(made.service)
    assert (after.version, after.root_keys) == (before.version + 1, before.root_keys)
    with made.service.database.read() as link:
        rows = trail.page(link, trail.Filter(), before=None, limit=10)
    assert {row.action for row in rows} >= {"trust-keys.drafted", "trust-root.adopted"}
    owner = {"keys": [KEY.public.pem]}
    draft = made.client.post(f"{API}/root/draft", json=owner, headers=headers).content
    signed = roots.with_signature(draft, KEY)
    assert made.client.put(f"{API}/root", content=signed, headers=headers).status_code == 200
    assert "Let other keys sign" not in made.client.get(PAGE, headers=headers).text, "their root has to name them"
    assert post(made, "viewer", do="renew").status_code == 403
