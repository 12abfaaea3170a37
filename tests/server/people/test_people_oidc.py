from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    from tests.server.people.conftest import World
    from tests.server.people.identity_provider import IdentityProvider

import sqlalchemy as sa
from starlette.testclient import TestClient

from assaymark.model.access import Grant, Role
from assaymark.server.people.oidc import local
from assaymark.store.tables import invitation, setting

pytestmark = pytest.mark.enable_socket
CALLBACK = "/api/v1/oidc/idp/callback"


def document(provider: IdentityProvider, **more: Any) -> dict[str, Any]:
    return {
        "title": "Log in",
        "issuer": provider.issuer,
        "client_id": "assay",
        "client_secret": "between-us",
        "domains": ["example.org"],
    } | more


def set_up(world: World, provider: IdentityProvider, name: str = "idp", **more: Any) -> TestClient:
    with world.service.database.read() as connection:
        somebody = connection.exec_driver_sql("SELECT count(*) FROM person").scalar()
    admin = world.signed_in("root") if somebody else world.admin()
    answer = admin.put(f"/api/v1/providers/{name}", json=document(provider, **more))
    assert answer.status_code == 200, answer.text
    return admin


def start(visitor: TestClient, name: str = "idp", to: str = "/") -> str:
    answer = visitor.get(f"/api/v1/oidc/{name}/start", params={"to": to})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def come_in(world: World, provider: IdentityProvider) -> tuple[TestClient, Any]:
    visitor = world.visitor()
    return visitor, visitor.get(CALLBACK, params=provider.authorize(start(visitor)))


def test_somebody_comes_in_by_a_provider(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    visitor = reaching.visitor()
    back = provider.authorize(start(visitor, to="/subjects?x=1"))
    answer = visitor.get(CALLBACK, params=back)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == f"{reaching.service.settings.url}/subjects?x=1"
    me = visitor.get("/api/v1/me").json()
    assert (me["login"], me["roles"]) == ("grace", [])
    again, _ = come_in(reaching, provider)
    assert again.get("/api/v1/me").json()["person"] == me["person"]


def test_what_is_asked_of_the_provider(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    address = start(reaching.visitor())
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert address.startswith(provider.issuer + "/authorize?")
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) == 43
    assert len(asked["nonce"]) == 43
    assert asked["redirect_uri"] == reaching.service.settings.url + CALLBACK
    assert asked["scope"] == "openid profile email"


def test_the_secret_of_the_client_is_sealed_and_not_shown(reaching: World, provider: IdentityProvider) -> None:
    admin = set_up(reaching, provider)
    with reaching.service.database.read() as connection:
        kept = str(connection.execute(sa.select(setting)).all())
    assert "between-us" not in kept
    shown = admin.get("/api/v1/providers").json()[0]
    assert shown["has_secret"] is True
    assert "between-us" not in str(shown)
    assert not any("between-us" in str(row) for row in reaching.trail("details"))
    assert admin.put("/api/v1/providers/idp", json=document(provider, client_secret=None, title="New")).json()["has_secret"] is True


def test_the_secret_goes_to_no_other_issuer(reaching: World, provider: IdentityProvider, other_provider: IdentityProvider) -> None:
    admin = set_up(reaching, provider)
    assert admin.put("/api/v1/providers/idp", json=document(other_provider, client_secret=None)).json()["has_secret"] is False


# --- attacks ---------------------------------------------------------------------------------------------------------

LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "n" * 43},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "somebody-else"},
    "us among others, for another party": {"aud": ["assay", "somebody-else"], "azp": "somebody-else"},
    "us among others, for nobody in particular": {"aud": ["assay", "somebody-else"]},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://evil.test"},
    "no issuer": {"iss": None},
    "nobody": {"sub": None},
    "an empty subject": {"sub": ""},
    "no end": {"exp": None},
    "an end that is no number": {"exp": "tomorrow"},
    "a hash of another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_id_token_that_lies_lets_nobody_in(reaching: World, provider: IdentityProvider, lie: str) -> None:
    set_up(reaching, provider)
    provider.lies = LIES[lie]
    visitor, answer = come_in(reaching, provider)
    assert answer.status_code == 401, answer.text
    assert visitor.get("/api/v1/me").status_code == 401
    assert reaching.trail()[-1] == ("session.begun", "refused")


@pytest.mark.parametrize("seconds", [-61, -3600])
def test_a_token_that_has_ended_lets_nobody_in(reaching: World, provider: IdentityProvider, seconds: int) -> None:
    set_up(reaching, provider)
    now = reaching.at // 1_000_000
    provider.lies = {"exp": now + seconds, "iat": now + seconds - 300}
    assert come_in(reaching, provider)[1].status_code == 401


@pytest.mark.parametrize("seconds", [-50, 50])
def test_a_clock_that_is_a_little_off_does_not_matter(reaching: World, provider: IdentityProvider, seconds: int) -> None:
    set_up(reaching, provider)
    now = reaching.at // 1_000_000 + seconds
    provider.lies = {"iat": now, "nbf": now, "exp": now + 10 if seconds > 0 else now}
    assert come_in(reaching, provider)[1].status_code == 303


def test_a_token_of_the_future_lets_nobody_in(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    now = reaching.at // 1_000_000
    provider.lies = {"iat": now + 3600, "nbf": now + 3600, "exp": now + 7200}
    assert come_in(reaching, provider)[1].status_code == 401


@pytest.mark.parametrize("forge", ["forge_none", "forge_shared", "forge_other_key", "forge_own_key"])
def test_a_forged_signature_lets_nobody_in(reaching: World, provider: IdentityProvider, forge: str) -> None:
    set_up(reaching, provider)
    visitor = reaching.visitor()
    address = start(visitor)
    nonce = parse_qs(urlsplit(address).query)["nonce"][0]
    provider.forged = getattr(provider, forge)(provider.claims(nonce))
    answer = visitor.get(CALLBACK, params=provider.authorize(address))
    assert answer.status_code == 401
    assert "signed" in answer.json()["title"]


def test_a_way_back_works_once(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    visitor = reaching.visitor()
    back = provider.authorize(start(visitor))
    assert visitor.get(CALLBACK, params=back).status_code == 303
    assert visitor.get(CALLBACK, params=back).status_code == 401


def test_a_code_that_was_used_is_refused_even_with_a_new_state(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    visitor = reaching.visitor()
    old = provider.authorize(start(visitor))
    assert visitor.get(CALLBACK, params=old).status_code == 303
    fresh = provider.authorize(start(visitor))
    assert visitor.get(CALLBACK, params={"code": old["code"], "state": fresh["state"]}).status_code == 401


def test_a_code_of_another_sign_in_does_not_fit_the_verifier(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    stolen = provider.authorize(start(reaching.visitor()))
    attacker = reaching.visitor()
    mine = provider.authorize(start(attacker))
    assert attacker.get(CALLBACK, params={"code": stolen["code"], "state": mine["state"]}).status_code == 401


def test_a_sign_in_that_another_browser_began_lets_nobody_in(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    attackers = provider.authorize(start(reaching.visitor()))
    victim = reaching.visitor()
    assert victim.get(CALLBACK, params=attackers).status_code == 401
    start(victim)
    attackers = provider.authorize(start(reaching.visitor()))
    assert victim.get(CALLBACK, params=attackers).status_code == 401


def test_a_sign_in_ends(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    visitor = reaching.visitor()
    back = provider.authorize(start(visitor))
    reaching.later(600)
    assert visitor.get(CALLBACK, params=back).status_code == 401


def test_an_answer_of_another_provider_is_noticed(reaching: World, provider: IdentityProvider, other_provider: IdentityProvider) -> None:
    """Mix-up: what was begun at one is finished at the other's address, or by the other."""
    set_up(reaching, provider)
    set_up(reaching, other_provider, "other")
    visitor = reaching.visitor()
    back = provider.authorize(start(visitor))
    assert visitor.get("/api/v1/oidc/other/callback", params=back).status_code == 401
    visitor = reaching.visitor()
    back = provider.authorize(start(visitor)) | {"iss": other_provider.issuer}
    assert visitor.get(CALLBACK, params=back).status_code == 401


def test_a_provider_that_names_itself_on_the_way_back_must_do_so(reaching: World, provider: IdentityProvider) -> None:
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    set_up(reaching, provider)
    visitor = reaching.visitor()
    assert visitor.get(CALLBACK, params=provider.authorize(start(visitor))).status_code == 401
    visitor = reaching.visitor()
    assert visitor.get(CALLBACK, params=provider.authorize(start(visitor)) | {"iss": provider.issuer}).status_code == 303


def test_a_new_key_is_found_and_the_old_one_is_worth_nothing(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    assert come_in(reaching, provider)[1].status_code == 303
    old = provider.keys
    provider.rotate()
    reaching.later(31)
    assert come_in(reaching, provider)[1].status_code == 303
    provider.keys, published = old, provider.keys
    reaching.later(31)
    visitor = reaching.visitor()
    address = start(visitor)
    provider.forged = provider.signed(provider.claims(parse_qs(urlsplit(address).query)["nonce"][0]))
    provider.keys = published
    assert visitor.get(CALLBACK, params=provider.authorize(address)).status_code == 401


def test_forged_tokens_do_not_make_us_ask_for_keys_without_end(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    come_in(reaching, provider)
    before = provider.asked.count("/keys")
    provider.forged = provider.forge_other_key(provider.claims("x"))
    for _ in range(5):
        come_in(reaching, provider)
    assert provider.asked.count("/keys") == before


def test_a_provider_that_calls_itself_otherwise_is_not_set(reaching: World, provider: IdentityProvider) -> None:
    provider.metadata = {"issuer": "https://login.example.org"}
    assert reaching.admin().put("/api/v1/providers/idp", json=document(provider)).status_code == 422


def test_whoever_sets_a_provider_up_asks_it_anew(reaching: World, provider: IdentityProvider) -> None:
    admin = set_up(reaching, provider)
    provider.metadata = {"token_endpoint": "http://login.example.org/x"}
    assert admin.put("/api/v1/providers/idp", json=document(provider)).status_code == 422
    provider.metadata = {}
    assert admin.put("/api/v1/providers/idp", json=document(provider)).status_code == 200


@pytest.mark.parametrize("name", ["jwks_uri", "token_endpoint", "authorization_endpoint"])
def test_an_endpoint_without_https_is_refused(reaching: World, provider: IdentityProvider, name: str) -> None:
    provider.metadata = {name: "http://login.example.org/x"}
    assert reaching.admin().put("/api/v1/providers/idp", json=document(provider)).status_code == 422


@pytest.mark.parametrize("issuer", ["http://login.example.org", "https://x/?a=b", "ftp://x", "x", "https://"])
def test_an_issuer_that_cannot_be_one_is_refused(reaching: World, provider: IdentityProvider, issuer: str) -> None:
    answer = reaching.admin().put("/api/v1/providers/idp", json=document(provider) | {"issuer": issuer})
    assert answer.status_code == 400


def test_a_private_address_is_not_asked_unless_it_is_allowed(world: World, provider: IdentityProvider) -> None:
    answer = world.admin().put("/api/v1/providers/idp", json=document(provider))
    assert answer.status_code == 400
    assert "private" in answer.json()["detail"]
    assert provider.asked == []


@pytest.mark.parametrize("to", ["//evil.test", "/\\evil.test", "https://evil.test", "evil", "/a\nb", "", "/" + "a" * 2000])
def test_nobody_is_sent_to_another_host(to: str) -> None:
    assert local(to) == "/"


def test_what_the_provider_holds_is_sealed_meanwhile(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    address = start(reaching.visitor())
    asked = parse_qs(urlsplit(address).query)
    with reaching.service.database.read() as connection:
        kept = str(connection.execute(sa.select(invitation)).all())
    for name in ("state", "nonce"):
        assert asked[name][0] not in kept


# --- accounts and roles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user",
    [
        {"email": "grace@evil.test"},
        {"email": "grace@example.org.evil.test"},
        {"email": "grace@example.org", "email_verified": False},
        {"email": "grace@example.org", "email_verified": "true"},
        {"email": None},
        {"preferred_username": "<script>"},
    ],
)
def test_who_is_not_on_the_list_gets_no_account(reaching: World, provider: IdentityProvider, user: dict[str, Any]) -> None:
    set_up(reaching, provider)
    provider.lies = user
    visitor, answer = come_in(reaching, provider)
    assert answer.status_code == 403
    assert visitor.get("/api/v1/me").status_code == 401
    with reaching.service.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM person").scalar() == 1


def test_an_account_is_not_taken_over_by_its_login_or_address(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    provider.user |= {"preferred_username": "root", "email": "root@example.org"}
    visitor, answer = come_in(reaching, provider)
    assert answer.status_code == 403
    assert visitor.get("/api/v1/me").status_code == 401


def test_whoever_is_signed_in_links_his_identity(reaching: World, provider: IdentityProvider) -> None:
    admin = set_up(reaching, provider)
    provider.user |= {"preferred_username": "root"}
    address = admin.post("/api/v1/oidc/idp/link").json()["address"]
    assert admin.get(CALLBACK, params=provider.authorize(address)).status_code == 303
    visitor, _ = come_in(reaching, provider)
    assert visitor.get("/api/v1/me").json()["login"] == "root"
    identity = visitor.get("/api/v1/identities").json()[0]
    assert visitor.delete(f"/api/v1/identities/{identity['id']}").status_code == 204
    assert come_in(reaching, provider)[1].status_code == 403


def test_an_identity_of_another_account_is_not_linked(reaching: World, provider: IdentityProvider) -> None:
    admin = set_up(reaching, provider)
    come_in(reaching, provider)
    address = admin.post("/api/v1/oidc/idp/link").json()["address"]
    assert admin.get(CALLBACK, params=provider.authorize(address)).status_code == 403


def test_somebody_disabled_does_not_come_in_by_a_provider(reaching: World, provider: IdentityProvider) -> None:
    admin = set_up(reaching, provider)
    visitor, _ = come_in(reaching, provider)
    person = visitor.get("/api/v1/me").json()["person"]
    assert admin.post(f"/api/v1/people/{person}/disable").status_code == 204
    assert come_in(reaching, provider)[1].status_code == 401


def test_groups_give_roles_that_follow_them_and_leave_what_was_given_by_hand(reaching: World, provider: IdentityProvider) -> None:
    admin = set_up(reaching, provider)
    core = admin.post("/api/v1/teams", json={"slug": "core"}).json()["id"]
    for group, role in (("devs", "developer"), ("leads", "maintainer")):
        made = admin.post("/api/v1/group-mappings", json={"provider": "idp", "group": group, "role": role, "team": core})
        assert made.status_code == 201, made.text
    provider.user["groups"] = ["devs", "leads", "strangers"]
    visitor, _ = come_in(reaching, provider)
    assert visitor.get("/api/v1/me").json()["roles"] == [["developer", core], ["maintainer", core]]
    assert admin.post("/api/v1/memberships", json={"login": "grace", "role": "auditor", "team": core}).status_code == 201
    provider.user["groups"] = ["devs"]
    visitor, _ = come_in(reaching, provider)
    assert visitor.get("/api/v1/me").json()["roles"] == [["auditor", core], ["developer", core]]
    del provider.user["groups"]
    visitor, _ = come_in(reaching, provider)
    assert visitor.get("/api/v1/me").json()["roles"] == [["auditor", core]]
    assert ("roles.synchronised", "success") in reaching.trail()


def test_groups_come_by_userinfo_when_the_token_has_none_and_only_of_the_same_subject(reaching: World, provider: IdentityProvider) -> None:
    admin = set_up(reaching, provider)
    admin.post("/api/v1/group-mappings", json={"provider": "idp", "group": "devs", "role": "developer"})
    provider.userinfo = {"sub": "somebody else", "groups": ["devs"]}
    visitor, _ = come_in(reaching, provider)
    assert visitor.get("/api/v1/me").json()["roles"] == []
    provider.userinfo = {"sub": "u-1", "groups": ["devs"]}
    visitor, _ = come_in(reaching, provider)
    assert visitor.get("/api/v1/me").json()["roles"] == [["developer", None]]


def test_a_group_opens_an_account_where_no_domain_does(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider, domains=[], groups=["staff"])
    assert come_in(reaching, provider)[1].status_code == 403
    provider.user["groups"] = ["staff"]
    assert come_in(reaching, provider)[1].status_code == 303


def test_groups_of_one_provider_give_nothing_by_another(
    reaching: World, provider: IdentityProvider, other_provider: IdentityProvider
) -> None:
    admin = set_up(reaching, provider)
    set_up(reaching, other_provider, "other")
    admin.post("/api/v1/group-mappings", json={"provider": "other", "group": "admins", "role": "admin"})
    provider.user["groups"] = ["admins"]
    visitor, _ = come_in(reaching, provider)
    assert visitor.get("/api/v1/me").json()["roles"] == []


def test_an_administrator_of_a_team_maps_groups_into_it_alone(reaching: World, provider: IdentityProvider) -> None:
    admin = set_up(reaching, provider)
    core = admin.post("/api/v1/teams", json={"slug": "core"}).json()["id"]
    reaching.person("lead", Grant(Role.ADMIN, core))
    lead = reaching.signed_in("lead")
    wish = {"provider": "idp", "group": "g", "role": "admin"}
    assert lead.post("/api/v1/group-mappings", json=wish).status_code == 403
    made = lead.post("/api/v1/group-mappings", json=wish | {"team": core})
    assert made.status_code == 201
    assert len(lead.get("/api/v1/group-mappings").json()["items"]) == 1
    assert lead.delete(f"/api/v1/group-mappings/{made.json()['id']}").status_code == 204


def test_signing_out_says_where_the_provider_ends_its_session(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    visitor, _ = come_in(reaching, provider)
    to = visitor.delete("/api/v1/sessions/present").json()["go_to"]
    assert to.startswith(provider.issuer + "/end?client_id=assay&post_logout_redirect_uri=")


def test_the_ways_in_are_told_to_anybody(reaching: World, provider: IdentityProvider) -> None:
    visitor = reaching.visitor()
    assert visitor.get("/api/v1/sign-in").json() == {"set_up": False, "passkeys": False, "providers": []}
    set_up(reaching, provider)
    said = visitor.get("/api/v1/sign-in").json()
    assert said["set_up"] is True
    assert said["providers"][0]["name"] == "idp"
    assert "assay" not in str(said["providers"][0]["title"])


def test_a_provider_that_is_removed_takes_its_roles_along(reaching: World, provider: IdentityProvider) -> None:
    admin = set_up(reaching, provider)
    admin.post("/api/v1/group-mappings", json={"provider": "idp", "group": "devs", "role": "developer"})
    provider.user["groups"] = ["devs"]
    visitor, _ = come_in(reaching, provider)
    assert admin.delete("/api/v1/providers/idp").status_code == 204
    assert visitor.get("/api/v1/me").json()["roles"] == []
    assert reaching.visitor().get("/api/v1/oidc/idp/start").status_code == 404


def test_the_sign_in_page_offers_the_providers_and_comes_back_to_where_one_wanted_to_go(
    reaching: World, provider: IdentityProvider
) -> None:
    set_up(reaching, provider, title="Log in <here>")
    visitor = reaching.visitor()
    page = visitor.get("/sign-in?next=/findings").text
    assert "Log in &lt;here&gt;" in page
    assert "/api/v1/oidc/idp/start?to=%2Ffindings" in page
    answer = visitor.get(CALLBACK, params=provider.authorize(start(visitor, to="/findings")))
    assert answer.headers["location"].endswith("/findings")


def test_a_browser_is_told_on_the_sign_in_page_what_went_wrong_and_nothing_from_outside(
    reaching: World, provider: IdentityProvider
) -> None:
    set_up(reaching, provider)
    browser = reaching.visitor(accept="text/html,application/xhtml+xml")
    answer = browser.get(CALLBACK, params={"code": "x", "state": "y", "error": "<b>planted</b>"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{reaching.service.settings.url}/sign-in?problem=sign-in"
    assert "did not let you in" in browser.get("/sign-in?problem=sign-in").text
    assert "planted" not in browser.get("/sign-in?problem=planted").text
    provider.lies = {"email": "grace@evil.test"}
    answer = browser.get(CALLBACK, params=provider.authorize(start(browser)))
    assert answer.headers["location"].endswith("?problem=no-account")
    assert browser.get("/api/v1/me").status_code == 401


def test_a_provider_that_is_down_is_said_on_the_page(reaching: World, provider: IdentityProvider) -> None:
    set_up(reaching, provider)
    provider.metadata = {"issuer": "https://login.example.org"}
    reaching.later(3601)
    browser = reaching.visitor(accept="text/html")
    assert browser.get("/api/v1/oidc/idp/start").headers["location"].endswith("/sign-in?problem=provider")
    assert reaching.visitor().get("/api/v1/oidc/idp/start").status_code == 422
