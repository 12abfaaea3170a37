"""Revocations by the API and on pages: looked at first, made once, shown to those who may see what they hit, and to nobody else."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from tests.server.api.conftest import Make
from tests.server.endorsed_samples import RULES, Sample, environment, row, signed, subject, team

from assaymark.model.assessment import SECOND
from assaymark.server.service import Service
from assaymark.store.tables import endorsement_key, person

ADMIN, VIEWER, DEVELOPER, ROBOT = ({"Authorization": f"Bearer {name}"} for name in ("admin", "viewer", "developer", "robot"))
"""Of all teams; of blue; of red; with a token for subjects alone."""
API = "/api/v1"
AIM = {"target": "engine", "name": f"rules@{RULES}"}


def _sample(service: Service) -> None:
    """An endorsement of blue that runs, one of red, and a newer one of blue by other rules."""
    with service.database.write() as link:
        for login in ("admin", "viewer", "developer"):  # numbered like the callers of `conftest`
            link.execute(person.insert(), {"login": login, "handle": login.encode(), "created_at": 0})
        blue, red = team(link, "blue"), team(link, "red")
        main = subject(link, "shop main", team=blue)
        now = service.now()
        signed(service, link, Sample(subject=main, team=blue, at=now - 9 * SECOND))
        row(service, link, Sample(hex="b" * 40, subject=subject(link, "bank main", team=red), team=red, at=now - 9 * SECOND))
        signed(service, link, Sample(hex="c" * 40, subject=main, team=blue, rules="sha256:" + "9" * 64, at=now - 3 * SECOND))
        environment(link, "production", "gitCommit:" + "a" * 40, blue)
        assert link.execute(sa.select(sa.func.count()).select_from(endorsement_key)).scalar() == 3


def _get(made: Any, path: str, who: dict[str, str] = ADMIN) -> Any:
    answer = made.client.get(API + path, headers=who)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_it_is_looked_at_made_once_and_shown_with_what_runs_and_what_to_use_instead(make: Make) -> None:
    made = make()
    _sample(made.service)
    looked = made.client.post(f"{API}/revocations/preview", json=AIM, headers=ADMIN).json()
    assert (looked["endorsements"], looked["revoked"], [each["name"] for each in looked["runs"]]) == (2, False, ["production"])
    assert _get(made, "/revocations")["items"] == [], "looking changes nothing"
    done = made.client.post(f"{API}/revocations", json=AIM | {"reason": "a rule was blind"}, headers=ADMIN)
    assert (done.status_code, done.json()["withdrawn"], done.json()["fresh"]) == (201, 2, True)
    again = made.client.post(f"{API}/revocations", json=AIM | {"reason": "once more"}, headers=ADMIN).json()
    assert (again["id"], again["fresh"]) == (done.json()["id"], False)
    place = f"/revocations/{done.json()['id']}"
    assert _get(made, place)["reason"] == "a rule was blind"
    (runs,) = _get(made, f"{place}/runs")["items"]
    assert (runs["name"], runs["team_name"], runs["deployed_by"]) == ("production", "blue", "dora")
    blue = _get(made, f"{place}/withdrawn", VIEWER)["items"]
    assert [(each["endorsement"]["head"], each["instead"]["head"]) for each in blue] == [("a" * 40, "c" * 40)]
    red = _get(made, f"{place}/withdrawn", DEVELOPER)["items"]
    assert [each["endorsement"]["head"] for each in red] == ["b" * 40]
    assert _get(made, f"{place}/runs", DEVELOPER)["items"] == []


def test_only_those_who_may_revoke_and_what_makes_no_sense_is_said(make: Make) -> None:
    made = make()
    _sample(made.service)
    for who in (VIEWER, DEVELOPER, ROBOT):
        assert made.client.post(f"{API}/revocations", json=AIM | {"reason": "x"}, headers=who).status_code == 403
    for wrong in ({"target": "key", "name": "ana"}, {"target": "component", "name": "pkg:nothing"}, AIM | {"since": "soon"}):
        answer = made.client.post(f"{API}/revocations", json=wrong | {"reason": "x"}, headers=ADMIN)
        assert (answer.status_code, bool(answer.json()["advice"])) == (400, True), answer.text
    assert made.client.get(f"{API}/revocations/99", headers=ADMIN).status_code == 404


def test_the_pages_show_what_would_be_hit_before_it_is_revoked_and_what_runs_after(make: Make) -> None:
    made = make()
    _sample(made.service)
    form = made.client.get("/revocations/new", params=AIM, headers=ADMIN)
    assert form.status_code == 200
    assert "It would withdraw 2 endorsements" in form.text
    assert "production" in form.text
    refused = made.client.post("/revocations", data=AIM | {"reason": " "}, headers=ADMIN | {"Origin": made.service.settings.url})
    assert (refused.status_code, "reason" in refused.text) == (400, True)
    done = made.client.post(
        "/revocations", data=AIM | {"reason": "<b>blind</b>"}, headers=ADMIN | {"Origin": made.service.settings.url}, follow_redirects=False
    )
    assert done.status_code == 303, done.text
    page = made.client.get(done.headers["location"], headers=ADMIN).text
    assert "&lt;b&gt;blind&lt;/b&gt;" in page
    assert "production" in page
    assert "dora" in page
    assert "ccccccc" in page
    assert "engine" in made.client.get("/revocations", headers=VIEWER).text
    assert made.client.get("/revocations/new", headers=VIEWER).status_code == 403
