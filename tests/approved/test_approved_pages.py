"""Pages of known-good components, read as a browser without script does."""

from __future__ import annotations

from tests.approved.conftest import BLUE, Client, Place, packages

from assaymark.endorsement.components import DAY
from assaymark.model.assessment import Instant


def test_the_catalogue_is_searched_and_leads_to_a_component(place: Place, ask: Client) -> None:
    shop = place.subject(name="<shop>")
    place.hold(shop, packages("flask==3.0.0"))
    place.endorse(shop, packages("flask==3.0.0", "other==1"))
    listed = ask("ana", "GET", "/approved?name=fla&kind=package&state=approved", page=True)
    assert "pkg:pypi/flask" in listed
    assert "pkg:pypi/other" not in listed
    number = listed.partition('scope="row"><a href="/approved/')[2].partition('"')[0]
    shown = ask("ana", "GET", f"/approved/{number}", page=True)
    assert "&lt;shop&gt;" in shown
    assert "<shop>" not in shown
    assert "Nothing is in its way" in shown
    assert "Nothing here" in ask("ana", "GET", "/approved?state=expired", page=True)


def test_a_waiver_is_asked_for_and_granted_on_the_page(place: Place, ask: Client) -> None:
    shop = place.subject()
    place.endorse(shop, packages("flask==3.0.0"), days=(-9, -1))
    (row,) = ask("ana", "GET", "/approved")["items"]
    address = f"/approved/{row['id']}"
    until = ask("ana", "GET", address, page=True).partition('name="until" value="')[2][:10]
    form = {"rule": "expired", "team": str(BLUE), "until": until, "reason": "until it is judged again"}
    ask("ana", "POST", f"{address}/waivers", 303, data=form, page=True)
    shown = ask("admin", "GET", address, page=True)
    request = shown.partition(f'action="{address}/waivers/')[2].partition('"')[0]
    assert "Grant" not in ask("ana", "GET", address, page=True)
    ask("admin", "POST", f"{address}/waivers/{request}", 303, data={"grant": "yes", "reason": "for now"}, page=True)
    body = {"components": [{"purl": "pkg:pypi/flask@3.0.0"}], "subject": shop}
    assert ask("ana", "POST", "/approved/check", json=body)["components"][0]["state"] == "waived"
    ask("ana", "POST", f"{address}/waivers", 400, data={**form, "team": "x"}, page=True)


def test_the_dry_run_says_what_it_would_have_stopped(place: Place, ask: Client) -> None:
    shop = place.subject()
    assert "No change" in ask("ana", "GET", "/approved/dry-run", page=True)
    place.hold(shop, packages("flask==3.0.0"), at=Instant(place.now - DAY))
    place.hold(shop, packages("flask==3.0.0", "evil==1"))
    shown = ask("ana", "GET", "/approved/dry-run", page=True)
    assert "stopped 1 of the last 1 changes" in shown
    assert "pkg:pypi/evil@1" in shown
