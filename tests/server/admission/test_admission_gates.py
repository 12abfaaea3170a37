"""Clusters ask the server, people make gates and see what these refused: over HTTP, on both databases, with real signatures."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient
from tests.deployment.cluster import Cluster
from tests.endorsement.approvals import KEY, VERIFIER
from tests.server.admission.clusters import DAY, Desk, believe, endorse, pod

from assaymark.deployment.admission.judging import BREAK_GLASS
from assaymark.deployment.admission.review import MOST_BYTES
from assaymark.endorsement.approval import stamp
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.endorsement.trust import TrustRoot
from assaymark.endorsement.verify import Expected, Verification
from assaymark.model.assessment import SECOND
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work import approval, revoking
from assaymark.server.work.admitting import Keeper
from assaymark.store import admission, tables
from assaymark.store.admission import Refusal


def new_digest() -> str:
    return f"sha256:{secrets.token_hex(32)}"


def image(digest: str) -> str:
    return f"registry.example.org/shop/app:1@{digest}"


# --- what a cluster is answered --------------------------------------------------------------------------------------


def test_what_is_endorsed_starts_and_what_is_not_does_not(desk: Desk) -> None:
    known, unknown = new_digest(), new_digest()
    name = endorse(desk.service, known)
    token = desk.gate()["token"]
    said = desk.review(token, pod(image(known)))
    assert said["allowed"] is True
    assert said["auditAnnotations"]["endorsements"] == name
    said = desk.review(token, pod(image(known), image(unknown)))
    assert said["allowed"] is False
    assert f"no-endorsement, nothing is endorsed that has the digest {unknown}" in said["status"]["message"]
    assert f"{desk.service.settings.url}/trace?q={unknown}" in said["status"]["message"]


def test_the_token_may_stand_in_the_path_and_nothing_else_opens_a_gate(desk: Desk) -> None:
    made = desk.gate()
    document = pod(image(new_digest()))
    assert made["review_url"] == f"{desk.service.settings.url}/admission/k8s/{made['token']}"
    assert desk.client.post(made["review_url"], json=document).status_code == 200
    for address in ("/admission/k8s", "/admission/k8s/x", f"/admission/k8s/{made['token'][:-1]}a"):
        assert desk.client.post(address, json=document).status_code == 401
    assert desk.client.post("/admission/k8s", json=document, headers={"Authorization": "Bearer ad"}).status_code == 401
    assert desk.client.post("/admission/k8s", json=document, headers={"Authorization": f"Basic {made['token']}"}).status_code == 401
    assert desk.client.get(made["review_url"]).status_code == 405


def test_image_reviews_are_answered(desk: Desk) -> None:
    known = new_digest()
    endorse(desk.service, known)
    made = desk.gate()
    for digest, allowed in ((known, True), (new_digest(), False)):
        document = {"apiVersion": "imagepolicy.k8s.io/v1alpha1", "kind": "ImageReview", "spec": {"containers": [{"image": image(digest)}]}}
        answer = desk.client.post(made["image_review_url"], json=document, headers={"Authorization": f"Bearer {made['token']}"})
        assert answer.json()["status"]["allowed"] is allowed


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 100_000, b"\xff", json.dumps(pod("x")).replace('"uid"', '"uid": "2", "uid"').encode()])
def test_what_is_no_review_is_an_error_of_http_and_not_allowed(desk: Desk, body: bytes) -> None:
    token = desk.gate()["token"]
    answer = desk.client.post("/admission/k8s", content=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_is_too_large_is_refused_and_what_is_large_is_read(desk: Desk) -> None:
    known = new_digest()
    endorse(desk.service, known)
    token = desk.gate()["token"]
    large = pod(image(known))
    large["request"]["object"]["metadata"]["annotations"] = {"note": "n" * (2 << 20)}
    assert desk.review(token, large)["allowed"] is True
    large["request"]["object"]["metadata"]["annotations"] = {"note": "n" * MOST_BYTES}
    assert desk.review(token, large, status=413)["status"] == 413
    assert desk.review(token, pod("x" * 600_000))["allowed"] is False


# --- what is remembered ----------------------------------------------------------------------------------------------


class Counting:
    """Asks the server, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, service: Service, link: Any, digest: str, expected: Expected) -> Verification:
        self.asked += 1
        return approval.approved(service, link, digest, expected)


def test_an_answer_is_remembered_until_something_is_taken_back_or_ends(desk: Desk) -> None:
    known, later = new_digest(), new_digest()
    endorse(desk.service, known, days=1)
    counting = Counting()
    keeper = Keeper(desk.service, counting)

    def ask(digest: str) -> bool:
        with desk.service.database.read() as link:
            return keeper.judge(link, admission.stamps(link))(digest, "production").ok

    assert [ask(known), ask(known), counting.asked] == [True, True, 1]
    assert [ask(later), ask(later), counting.asked] == [False, False, 2]
    endorse(desk.service, later)  # what refuses is asked anew, what allows is not
    assert [ask(later), counting.asked] == [True, 3]
    assert [ask(known), counting.asked] == [True, 3]
    believe(desk.service, TrustRoot("others", "https://other.example", (KEY.public.pem,)))
    assert [ask(known), counting.asked] == [False, 4]
    believe(desk.service, TrustRoot("tests", VERIFIER, (KEY.public.pem,)))
    assert ask(known)
    desk.clock.ahead += DAY + SECOND
    assert not ask(known)


def test_what_was_revoked_is_refused_at_once_also_by_another_process(desk: Desk) -> None:
    known = new_digest()
    endorse(desk.service, known)
    keepers = [Keeper(desk.service), Keeper(desk.service)]

    def asked() -> list[bool]:
        with desk.service.database.read() as link:
            return [keeper.judge(link, admission.stamps(link))(known, "production").ok for keeper in keepers]

    assert asked() == [True, True]
    with desk.service.database.write() as link:
        taken = Revocation(Target.SUBJECT, known, "a flaw became known", stamp(desk.service.now()))
        revoking.revoke(desk.service, link, taken, by=By("ana"))
    assert asked() == [False, False]


# --- gates -----------------------------------------------------------------------------------------------------------


def test_a_gate_is_tried_out_until_somebody_says_that_it_enforces(desk: Desk) -> None:
    made = desk.gate(enforces=False)
    said = desk.review(made["token"], pod(image(new_digest())))
    assert said["allowed"] is True
    assert said["warnings"][0].startswith("would be refused, not Quality Approved")
    assert desk.ask("ad", "PATCH", f"/admission-gates/{made['id']}", {"enforces": True})["enforces"] is True
    assert desk.review(made["token"], pod(image(new_digest())))["allowed"] is False


def test_what_was_refused_is_listed_once_and_counted(desk: Desk) -> None:
    made = desk.gate(enforces=False)
    digest = new_digest()
    for _ in range(3):
        desk.review(made["token"], pod(image(digest)))
    desk.review(made["token"], pod("nginx:1"))
    desk.review(made["token"], pod("nginx:2", dryRun=True))
    rows = desk.ask("vi", "GET", f"/admission-gates/{made['id']}/refusals")["items"]
    told = [(row["image"], row["reason"], row["times"], row["outcome"], row["name"], row["asked_by"]) for row in rows]
    assert told == [
        ("nginx:1", "not-pinned", 1, "would-refuse", "web-7d9-*", "alice"),
        (image(digest), "no-endorsement", 3, "would-refuse", "web-7d9-*", "alice"),
    ]
    first = desk.ask("vi", "GET", f"/admission-gates/{made['id']}/refusals?limit=1")
    second = desk.ask("vi", "GET", f"/admission-gates/{made['id']}/refusals?limit=1&after={first['next']}")
    assert [first["items"][0]["id"], second["items"][0]["id"], second["next"]] == [rows[0]["id"], rows[1]["id"], None]
    desk.ask("ad", "DELETE", f"/admission-gates/{made['id']}/refusals", status=204)
    assert desk.ask("vi", "GET", f"/admission-gates/{made['id']}/refusals")["items"] == []


def test_only_the_latest_refusals_are_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MOST_REFUSALS", 5)
    gate, other = desk.gate()["id"], desk.gate("eu-2")["id"]
    texts = dict.fromkeys(Refusal.__struct_fields__, "x")
    with desk.service.database.write() as link:
        admission.note(link, other, [Refusal(**texts)], desk.service.now())
        for number in range(9):
            admission.note(link, gate, [Refusal(**texts | {"image": str(number)})], desk.service.now())
        kept = [row.image for row in admission.refused(link, gate, before=None, limit=50)]
        assert kept == ["8", "7", "6", "5", "4"]
        assert len(admission.refused(link, other, before=None, limit=50)) == 1


def test_break_glass_is_written_down_before_it_opens(desk: Desk) -> None:
    made = desk.gate(obeys_break_glass=True)
    asked = pod(image(new_digest()))
    asked["request"]["object"]["metadata"]["annotations"] = {BREAK_GLASS: "incident 4711"}
    assert desk.review(made["token"], asked)["allowed"] is True
    with desk.service.database.read() as link:
        rows = list(link.execute(tables.audit_event.select().where(tables.audit_event.c.action == "admission.glass-broken")))
        lines = list(link.execute(tables.log_entry.select().where(tables.log_entry.c.type == "breakglass")))
    assert [(row.actor, "incident 4711" in row.details) for row in rows] == [("alice", True)]
    assert ["incident 4711" in row.line for row in lines] == [True]
    desk.review(made["token"], asked | {"request": asked["request"] | {"dryRun": True}})
    with desk.service.database.read() as link:
        assert len(list(link.execute(tables.log_entry.select().where(tables.log_entry.c.type == "breakglass")))) == 1


def test_another_token_ends_the_one_before_and_an_ended_gate_opens_nothing(desk: Desk) -> None:
    made = desk.gate()
    renewed = desk.ask("ad", "POST", f"/admission-gates/{made['id']}/token")
    desk.review(made["token"], pod("x"), status=401)
    assert desk.review(renewed["token"], pod("x"))["allowed"] is False
    desk.ask("ad", "DELETE", f"/admission-gates/{made['id']}", status=204)
    desk.review(renewed["token"], pod("x"), status=401)
    desk.ask("ad", "GET", f"/admission-gates/{made['id']}", status=404)
    with desk.service.database.read() as link:
        actions = [row.action for row in link.execute(tables.audit_event.select()) if row.action.startswith("gate.")]
    assert actions == ["gate.created", "gate.token-renewed", "gate.ended"]


def test_a_gate_is_seen_in_its_team_alone(desk: Desk) -> None:
    of_all = desk.gate()["id"]
    of_team = desk.gate("eu-2", team=desk.team)["id"]
    assert [row["id"] for row in desk.ask("in", "GET", "/admission-gates")["items"]] == [of_team]
    assert [row["id"] for row in desk.ask("vi", "GET", "/admission-gates")["items"]] == [of_all, of_team]
    for path in (f"/admission-gates/{of_all}", f"/admission-gates/{of_all}/refusals", f"/admission-gates/{of_all}/manifests/policy"):
        desk.ask("in", "GET", path, status=404)
    desk.ask("boss", "PATCH", f"/admission-gates/{of_all}", {"enforces": False}, status=404)
    assert desk.ask("boss", "PATCH", f"/admission-gates/{of_team}", {"enforces": False})["enforces"] is False
    desk.ask("in", "PATCH", f"/admission-gates/{of_team}", {"enforces": False}, status=403)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"home": "Not A Namespace"},
        {"exempt": ["a/b"]},
        {"exempt": ["*"]},
        {"namespaces": [{"namespace": "a*b", "environment": "x"}]},
        {"namespaces": [{"namespace": "a", "environment": "x\n"}]},
        {"namespaces": [{"namespace": f"a{number}", "environment": "x"} for number in range(101)]},
        {"unknown": 1},
    ],
)
def test_a_gate_that_makes_no_sense_is_not_made(desk: Desk, wrong: dict[str, Any]) -> None:
    desk.ask("ad", "POST", "/admission-gates", {"name": "eu-1"} | wrong, status=400)
    assert desk.ask("ad", "GET", "/admission-gates")["items"] == []


def test_two_gates_have_two_names(desk: Desk) -> None:
    desk.gate()
    desk.ask("ad", "POST", "/admission-gates", {"name": "eu-1"}, status=409)
    second = desk.gate("eu-2")["id"]
    desk.ask("ad", "PATCH", f"/admission-gates/{second}", {"name": "eu-1"}, status=409)


# --- what a cluster is given -----------------------------------------------------------------------------------------


def test_a_cluster_decides_by_itself_as_the_server_would(desk: Desk) -> None:
    production, staging, unknown = new_digest(), new_digest(), new_digest()
    endorse(desk.service, production)
    endorse(desk.service, staging, environments=("staging",))
    gate = desk.gate(namespaces=[{"namespace": "stage-*", "environment": "staging"}])
    objects = [
        each
        for form in ("policy", "configmaps")
        for each in yaml.safe_load_all(desk.ask("vi", "GET", f"/admission-gates/{gate['id']}/manifests/{form}"))
    ]
    by_kind: dict[str, list[Any]] = {}
    for each in objects:
        by_kind.setdefault(each["kind"], []).append(each)
    assert [len(by_kind[kind]) for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ConfigMap")] == [2, 2, 2]
    policies = by_kind["ValidatingAdmissionPolicy"]

    def bindings_of(policy: Any) -> list[Any]:
        return [each for each in by_kind["ValidatingAdmissionPolicyBinding"] if each["spec"]["policyName"] == policy["metadata"]["name"]]

    for digest, namespace, wanted in (
        (production, "shop", True), (staging, "shop", False), (unknown, "shop", False),
        (production, "stage-1", False), (staging, "stage-1", True), (unknown, "assaymark", True),
    ):  # fmt: skip
        document = pod(image(digest), namespace=namespace)
        document["request"] |= {"resource": {"group": "", "version": "v1", "resource": "pods"}}
        document["request"]["object"]["metadata"]["creationTimestamp"] = "2026-11-28T00:00:00Z"
        alone = all(Cluster(each, bindings_of(each), by_kind["ConfigMap"]).admit(document["request"]).allowed for each in policies)
        assert (alone, desk.review(gate["token"], document)["allowed"]) == (wanted, wanted)


def test_by_how_many_maps_may_be_said(desk: Desk) -> None:
    gate = desk.gate()["id"]
    maps = list(yaml.safe_load_all(desk.ask("vi", "GET", f"/admission-gates/{gate}/manifests/configmaps?shards=16")))
    assert len(maps) == 16
    desk.ask("vi", "GET", f"/admission-gates/{gate}/manifests/configmaps?shards=3", status=400)
    desk.ask("vi", "GET", f"/admission-gates/{gate}/manifests/nothing", status=400)


def test_a_webhook_configuration_needs_an_address_that_an_api_server_calls(desk: Desk) -> None:
    gate = desk.gate()["id"]
    assert "https" in desk.ask("vi", "GET", f"/admission-gates/{gate}/manifests/webhook", status=400)["detail"]


def test_a_database_that_cannot_be_written_does_not_change_the_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415

    token = desk.gate()["token"]

    def broken(*_: Any) -> None:
        raise OperationalError("", {}, Exception("locked"))

    monkeypatch.setattr(admission, "note", broken)
    assert desk.review(token, pod("nginx:1"))["allowed"] is False


def test_addresses_of_gates_are_those_of_this_server(desk: Desk) -> None:
    client: TestClient = desk.client
    token = desk.gate()["token"]
    answer = client.post(f"/admission/k8s/{token}", json=pod("x"), headers={"Host": "evil.example"})
    assert answer.status_code in {400, 421}


# --- pages -----------------------------------------------------------------------------------------------------------


def test_a_gate_is_made_changed_and_read_on_pages(desk: Desk) -> None:
    shown = desk.page(
        "ad", "POST", "/settings/gates", name="eu-1", environment="production", namespaces="stage-* = staging\n", exempt="infra"
    )
    token = shown.split("/admission/k8s/")[1].split("<")[0]
    assert desk.review(token, pod(image(digest := new_digest())))["allowed"] is True
    number = desk.ask("ad", "GET", "/admission-gates")["items"][0]["id"]
    room = f"/settings/gates/{number}"
    told = desk.page("vi", "GET", room)
    assert "What it would refuse" in told
    assert image(digest) in told
    assert f"/trace?q={digest}" in told
    assert token not in told
    assert "Refuse from now on" not in told
    assert desk.page("ad", "POST", room, 303, do="enforce") == room
    assert desk.review(token, pod(image(digest)))["allowed"] is False
    assert "What it refused" in desk.page("vi", "GET", room)
    desk.page("ad", "POST", room, 303, do="save", name="eu-2", environment="test", namespaces="", exempt="a b", home="guard")
    gate = desk.ask("vi", "GET", f"/admission-gates/{number}")
    assert (gate["name"], gate["environment"], gate["namespaces"], gate["exempt"], gate["home"]) == (
        "eu-2",
        "test",
        [],
        ["a", "b"],
        "guard",
    )
    assert f'href="/api/v1/admission-gates/{number}/manifests/policy"' in told
    desk.page("ad", "POST", room, 303, do="obey")
    desk.page("ad", "POST", room, 303, do="forget")
    assert "Nothing yet" in desk.page("vi", "GET", room)
    assert "shown this once" in desk.page("ad", "POST", room, do="token")
    desk.review(token, pod("x"), status=401)
    assert desk.page("ad", "POST", room, 303, do="end") == "/settings/gates"
    desk.page("vi", "GET", room, 404)


def test_what_makes_no_sense_is_said_on_the_page(desk: Desk) -> None:
    assert "says no environment" in desk.page("ad", "POST", "/settings/gates", 400, name="eu-1", namespaces="stage-*")
    room = f"/settings/gates/{desk.gate()['id']}"
    assert "is no namespace" in desk.page("ad", "POST", room, 400, do="save", name="eu-1", home="A B")
    desk.page("ad", "POST", room, 400, do="something")
    desk.page("vi", "POST", room, 403, do="enforce")
    desk.page("in", "GET", room, 404)


def test_words_of_a_cluster_are_shown_and_never_run(desk: Desk) -> None:
    made = desk.gate()
    document = pod("<script>alert(1)</script>", namespace="<b>shop")
    document["request"]["userInfo"] = {"username": "<img src=x>"}
    desk.review(made["token"], document)
    answer = desk.client.get(f"/settings/gates/{made['id']}", headers={"Authorization": "Bearer vi"})
    assert "&lt;script&gt;" in answer.text
    assert "<script>alert" not in answer.text
    assert "<img src=x>" not in answer.text
    assert "<b>shop" not in answer.text
