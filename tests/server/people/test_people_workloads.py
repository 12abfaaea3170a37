from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.server.people.conftest import World
    from tests.server.people.identity_provider import IdentityProvider

from starlette.testclient import TestClient

from assaymark.model.access import Grant, Role, TeamId
from assaymark.server.people.workload import fits

pytestmark = pytest.mark.enable_socket
JOB = {
    "sub": "repo:group/project:ref:refs/heads/main",
    "repository": "group/project",
    "ref": "refs/heads/main",
    "ref_protected": "true",
    "email": None,
    "email_verified": None,
    "preferred_username": None,
    "nonce": None,
}


def trusting(world: World, provider: IdentityProvider, **more: Any) -> tuple[TestClient, int]:
    """A server that trusts the provider's jobs; the administrator and the team."""
    admin = world.admin()
    core = admin.post("/api/v1/teams", json={"slug": "core"}).json()["id"]
    robot = {"login": "ci", "roles": [{"role": "developer", "team": core}], "invite": False}
    person = admin.post("/api/v1/people", json=robot).json()["id"]
    document = {
        "issuer": provider.issuer, "audience": "assay", "conditions": {"repository": "group/project", "ref": "refs/heads/*"},
        "person": person, "scopes": ["assessments:run", "subjects:read"], "team": core,
    }  # fmt: skip
    answer = admin.put("/api/v1/trusts/main", json=document | more)
    assert answer.status_code == 200, answer.text
    provider.user = dict(JOB)
    return admin, core


def change(world: World, token: str, trust: str = "") -> Any:
    return world.visitor().post("/api/v1/tokens/exchange", json={"token": token, "trust": trust})


def test_a_job_changes_its_token_for_one_of_minutes(reaching: World, provider: IdentityProvider) -> None:
    _, core = trusting(reaching, provider)
    answer = change(reaching, provider.signed(provider.claims("", "assay")))
    assert answer.status_code == 201, answer.text
    program = reaching.visitor(authorization=f"Bearer {answer.json()['token']}")
    me = program.get("/api/v1/me").json()
    assert (me["login"], me["roles"], me["permissions"]) == ("ci", [["developer", core]], ["assessments:run", "subjects:read"])
    reaching.later(15 * 60)
    assert program.get("/api/v1/me").status_code == 401
    actor, details = reaching.trail("actor", "details")[-2]
    assert actor == "trust main"
    assert "group/project" in details


def test_the_same_token_is_changed_once(reaching: World, provider: IdentityProvider) -> None:
    trusting(reaching, provider)
    token = provider.signed(provider.claims("", "assay"))
    assert change(reaching, token).status_code == 201
    assert change(reaching, token).status_code == 401
    named = provider.claims("", "assay") | {"jti": "job-1"}
    assert change(reaching, provider.signed(named)).status_code == 201
    assert change(reaching, provider.signed(named | {"iat": named["iat"] + 1})).status_code == 401


LIES: dict[str, dict[str, Any]] = {
    "another project": {"repository": "group/other"},
    "a project whose name begins so": {"repository": "group/project-evil"},
    "another ref": {"ref": "refs/tags/v1"},
    "a ref that only looks so": {"ref": "x/refs/heads/main"},
    "a branch in a folder, where one star is one part": {"ref": "refs/heads/a/b"},
    "no project": {"repository": None},
    "a project that is no text": {"repository": ["group/project"]},
    "another audience": {"aud": "https://github.com/group"},
    "no audience": {"aud": None},
    "no end": {"exp": None},
    "no beginning": {"iat": None},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_job_that_does_not_fit_gets_nothing(reaching: World, provider: IdentityProvider, lie: str) -> None:
    trusting(reaching, provider)
    provider.lies = LIES[lie]
    answer = change(reaching, provider.signed(provider.claims("", "assay")))
    assert answer.status_code == 401, answer.text
    assert reaching.trail()[-1] == ("token.created", "refused")


def test_a_job_that_ended_long_ago_gets_nothing(reaching: World, provider: IdentityProvider) -> None:
    trusting(reaching, provider)
    token = provider.signed(provider.claims("", "assay"))
    reaching.later(300 + 61)
    assert change(reaching, token).status_code == 401


@pytest.mark.parametrize("forge", ["forge_none", "forge_shared", "forge_other_key", "forge_own_key"])
def test_a_forged_job_gets_nothing(reaching: World, provider: IdentityProvider, forge: str) -> None:
    trusting(reaching, provider)
    assert change(reaching, getattr(provider, forge)(provider.claims("", "assay"))).status_code == 401


def test_an_issuer_that_nobody_trusts_is_not_asked(reaching: World, provider: IdentityProvider, other_provider: IdentityProvider) -> None:
    trusting(reaching, provider)
    other_provider.user = dict(JOB)
    assert change(reaching, other_provider.signed(other_provider.claims("", "assay"))).status_code == 401
    assert other_provider.asked == []
    claims = other_provider.claims("", "assay") | {"iss": provider.issuer}
    assert change(reaching, other_provider.signed(claims)).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "é.é.é", "a" * 20_000, "..", "e30.W10.e30"])
def test_what_is_no_token_is_refused(reaching: World, provider: IdentityProvider, token: str) -> None:
    trusting(reaching, provider)
    assert change(reaching, token).status_code == 401


def test_a_job_gets_never_more_than_the_account_may(reaching: World, provider: IdentityProvider) -> None:
    admin, core = trusting(reaching, provider, scopes=["people:write", "subjects:read"])
    answer = change(reaching, provider.signed(provider.claims("", "assay")))
    program = reaching.visitor(authorization=f"Bearer {answer.json()['token']}")
    assert program.get("/api/v1/me").json()["permissions"] == ["subjects:read"]
    assert core
    person = next(each["id"] for each in admin.get("/api/v1/people").json()["items"] if each["login"] == "ci")
    admin.post(f"/api/v1/people/{person}/disable")
    assert program.get("/api/v1/me").status_code == 401
    provider.lies = {"jti": "again"}
    assert change(reaching, provider.signed(provider.claims("", "assay"))).status_code == 401


@pytest.mark.parametrize(
    "document",
    [
        {"conditions": {}},
        {"conditions": {"repository": "*"}},
        {"conditions": {"": "x"}},
        {"audience": ""},
        {"scopes": []},
        {"minutes": 61},
        {"minutes": 0},
    ],
)
def test_a_trust_that_lets_everybody_in_is_refused(reaching: World, provider: IdentityProvider, document: dict[str, Any]) -> None:
    admin, _ = trusting(reaching, provider)
    good = admin.get("/api/v1/trusts").json()[0]["trust"]
    assert admin.put("/api/v1/trusts/other", json=good | document).status_code == 400


def test_only_administrators_trust(reaching: World, provider: IdentityProvider) -> None:
    admin, core = trusting(reaching, provider)
    good = admin.get("/api/v1/trusts").json()[0]["trust"]
    reaching.person("lead", Grant(Role.ADMIN, TeamId(core)))
    lead = reaching.signed_in("lead")
    assert lead.put("/api/v1/trusts/other", json=good).status_code == 403
    assert lead.get("/api/v1/trusts").status_code == 403
    token = admin.post("/api/v1/tokens", json={"name": "x", "scopes": ["settings:write"], "days": 1}).json()["token"]
    program = reaching.visitor(authorization=f"Bearer {token}")
    assert program.put("/api/v1/trusts/other", json=good).status_code == 403
    assert admin.delete("/api/v1/trusts/main").status_code == 204
    assert change(reaching, provider.signed(provider.claims("", "assay"))).status_code == 401


@pytest.mark.parametrize(
    ("wanted", "value", "is_so"),
    [
        ("a", "a", True), ("a", "A", False), ("a*", "ab", True), ("a*", "a/b", False), ("a**", "a/b/c", True), ("a.c", "abc", False),
        ("true", True, True), ("7", 7, True), ("*", None, False), ("a*c", "a\nc", True), ("a", "a\n", False), ("[ab]", "a", False),
        ("repo:g/*:ref:refs/heads/main", "repo:g/p:ref:refs/heads/main", True),
        ("repo:g/*:ref:refs/heads/main", "repo:g/p:x/y:ref:refs/heads/main", False),
    ],
)  # fmt: skip
def test_conditions(wanted: str, value: object, is_so: bool) -> None:
    assert fits(wanted, value) is is_so
