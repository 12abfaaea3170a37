"""What the pages that people live in ask of the API: ages, owners, exports, saved views, the queue and the trace."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.server.api.conftest import Make
from tests.store.recording_samples import add_subject, add_team, seen, tell, verdict

from assaymark.model.assessment import SECOND, SubjectId
from assaymark.model.severity import Severity
from assaymark.model.trigger import MergeRequest, Trigger, TriggerKind
from assaymark.server.export import PORTION, cell
from assaymark.server.service import Service
from assaymark.store.ages import DAY, Age, age_of, came
from assaymark.store.tables import assessment, audit_event, person, repository, subject

ADMIN, VIEWER, DEVELOPER, ROBOT = ({"Authorization": f"Bearer {name}"} for name in ("admin", "viewer", "developer", "robot"))
"""Of all teams; of blue; of red; with a token for subjects alone."""
API = "/api/v1"


def _sample(service: Service) -> tuple[SubjectId, SubjectId]:
    with service.database.write() as link:
        for login in ("admin", "viewer", "developer"):  # numbered like the callers of `conftest`
            link.execute(person.insert(), {"login": login, "handle": login.encode(), "created_at": 0})
    blue, red = add_team(service.database, "blue"), add_team(service.database, "red")
    one, other = add_subject(service.database, "shop main", team=blue), add_subject(service.database, "bank main", team=red)
    now = service.now()
    tell(service.database, one, verdict(seen("x", "src/mail.py")), now - 2 * DAY)
    tell(service.database, other, verdict(seen("x"), seen("y", severity=Severity.LOW)), now - 50 * DAY)
    return one, other


def _get(made: Any, path: str, who: dict[str, str] = ADMIN, **query: Any) -> Any:
    answer = made.client.get(API + path, headers=who, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- narrowing -------------------------------------------------------------------------------------------------------


def test_every_age_is_in_one_band_and_the_bands_meet() -> None:
    at = 2_000 * DAY
    for since in (at, at - 1, at - 8 * DAY + 1, at - 8 * DAY, at - 31 * DAY, at - 31 * DAY + 1, at - 366 * DAY, at - 366 * DAY + 1, 0):
        fits = []
        for age in Age:
            begin, end = came(age, at)  # type: ignore[arg-type]
            if (begin is None or since >= begin) and (end is None or since <= end):
                fits.append(age)
        assert fits == [age_of(since, at)], since  # type: ignore[arg-type]


def test_findings_are_narrowed_by_age_and_promise_and_counted_so(make: Make) -> None:
    made = make()
    _sample(made.service)
    assert [row["path"] for row in _get(made, "/findings", age="0-7")["items"]] == ["src/mail.py"]
    assert len(_get(made, "/findings", age="31-90")["items"]) == 2
    assert [row["severity"] for row in _get(made, "/findings", late="true")["items"]] == ["high"], "30 days are promised, 50 are over"
    assert len(_get(made, "/findings", late="false")["items"]) == 2
    facets = _get(made, "/findings/facets")
    assert facets["age"] == {"0-7": 1, "31-90": 2}
    assert (facets["late"], facets["waived"], facets["complete"]) == (1, 0, True)
    assert [(each["name"], each["count"]) for each in facets["team"]] == [("red", 2), ("blue", 1)]
    assert sum(facets["owner"].values()) == 3
    assert sum(each["count"] for each in facets["cause"]) == 3


def test_a_cause_narrows_to_what_its_repair_removes(make: Make) -> None:
    made = make()
    _sample(made.service)
    for cause in _get(made, "/findings/facets")["cause"]:
        assert len(_get(made, "/findings", item=cause["id"])["items"]) == cause["count"]
    assert len(_get(made, "/findings", owner="-")["items"]) == 3
    assert _get(made, "/findings", owner="somebody")["items"] == []


@pytest.mark.parametrize("query", ["age=7", "severity=worst", "team=-1", "waived=perhaps", "item=x", "nothing=1"])
def test_a_filter_that_makes_no_sense_is_said_on_the_page_and_for_views(make: Make, query: str) -> None:
    made = make()
    _sample(made.service)
    answer = made.client.get(f"/findings?{query}", headers=ADMIN)
    assert answer.status_code == 400
    assert made.client.post(f"{API}/views", headers=ADMIN, json={"name": "v", "query": query}).status_code == 400


# --- saved views -----------------------------------------------------------------------------------------------------


def test_a_view_is_kept_for_oneself_for_a_team_or_for_all(make: Make) -> None:
    made = make()
    _sample(made.service)
    for who, body, status in (
        (VIEWER, {"name": "mine", "query": "severity=high&age=0-7"}, 201),
        (VIEWER, {"name": "ours", "query": "", "audience": "team", "team": 1}, 403),
        (DEVELOPER, {"name": "reds", "query": "kind=code", "audience": "team", "team": 2}, 201),
        (DEVELOPER, {"name": "of blue", "query": "", "audience": "team", "team": 1}, 403),
        (DEVELOPER, {"name": "everybody", "query": "", "audience": "all"}, 403),
        (ADMIN, {"name": "worst", "query": "?severity=critical", "audience": "all"}, 201),
        (ADMIN, {"name": "no team", "query": "", "audience": "team"}, 400),
        (ADMIN, {"name": " ", "query": ""}, 400),
    ):
        assert made.client.post(f"{API}/views", headers=who, json=body).status_code == status, body
    seen_by = {name: [row["name"] for row in _get(made, "/views", who)] for name, who in
               (("admin", ADMIN), ("viewer", VIEWER), ("developer", DEVELOPER))}  # fmt: skip
    assert seen_by == {"admin": ["reds", "worst"], "viewer": ["mine", "worst"], "developer": ["reds", "worst"]}
    assert next(row["query"] for row in _get(made, "/views", VIEWER) if row["name"] == "worst") == "severity=critical"
    with made.service.database.read() as link:
        assert list(link.execute(sa.select(audit_event.c.action)).scalars()).count("view.saved") == 2, "what others see is on the record"


def test_a_view_is_removed_by_its_owner_or_who_could_have_shared_it(make: Make) -> None:
    made = make()
    _sample(made.service)
    own = made.client.post(f"{API}/views", headers=VIEWER, json={"name": "mine", "query": ""}).json()["id"]
    shared = made.client.post(f"{API}/views", headers=DEVELOPER, json={"name": "r", "query": "", "audience": "team", "team": 2}).json()[
        "id"
    ]
    assert made.client.delete(f"{API}/views/{own}", headers=ADMIN).status_code == 404, "not even an administrator sees another's own"
    assert made.client.delete(f"{API}/views/{shared}", headers=VIEWER).status_code == 404
    assert made.client.delete(f"{API}/views/{shared}", headers=ADMIN).status_code == 204
    assert made.client.delete(f"{API}/views/{own}", headers=VIEWER).status_code == 204
    assert _get(made, "/views", VIEWER) == []


# --- exports ---------------------------------------------------------------------------------------------------------


def test_a_list_is_taken_along_as_three_kinds_of_files(make: Make) -> None:
    made = make()
    _sample(made.service)
    sheet = made.client.get(f"{API}/findings/export", headers=ADMIN, params={"format": "csv"})
    assert sheet.headers["content-type"].startswith("text/csv")
    assert 'filename="findings.csv"' in sheet.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(sheet.text)))
    assert [row["severity"] for row in rows] == ["high", "high", "low"]
    assert len(_get(made, "/findings/export", format="json")["items"]) == 3
    log = _get(made, "/findings/export", format="sarif", severity="high")
    [run] = log["runs"]
    assert [each["level"] for each in run["results"]] == ["error", "error"]
    assert {each["ruleId"] for each in run["results"]} <= {each["id"] for each in run["tool"]["driver"]["rules"]}
    assert len(_get(made, "/findings/export", VIEWER, format="json")["items"]) == 1, "narrowed to what may be seen"


def test_an_export_of_nothing_is_whole(make: Make) -> None:
    made = make()
    _sample(made.service)
    for form in ("json", "sarif"):
        assert _get(made, "/findings/export", format=form, text="nowhere")
    assert made.client.get(f"{API}/findings/export?format=csv&text=nowhere", headers=ADMIN).text.count("\n") == 1


def test_an_export_goes_on_over_portions_and_holds_each_row_once(make: Make) -> None:
    made = make()
    _sample(made.service)
    many = add_subject(made.service.database, "many")
    tell(made.service.database, many, verdict(*(seen(f"n{n}") for n in range(PORTION + 7))), made.service.now())
    ids = [row["id"] for row in _get(made, "/findings/export", format="json")["items"]]
    assert len(ids) == len(set(ids)) == PORTION + 10


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "＝1", "＠x"])
def test_no_cell_begins_as_a_formula(make: Make, text: str) -> None:
    assert cell(text).startswith("'")
    assert cell(f"x{text}") == f"x{text}"
    made = make()
    one, _ = _sample(made.service)
    tell(made.service.database, one, verdict(seen("z", text + ".py")), made.service.now())
    sheet = made.client.get(f"{API}/findings/export?format=csv", headers=ADMIN).text
    cells = [value for row in csv.reader(io.StringIO(sheet)) for value in row]
    assert not [value for value in cells if value.lstrip().startswith(("=", "+", "-", "@", "＝", "＠"))]


# --- the queue -------------------------------------------------------------------------------------------------------


def test_my_queue_holds_the_last_verdict_of_each_of_my_changes_what_stops_first(make: Make) -> None:
    made = make()
    one, other = _sample(made.service)
    with made.service.database.write() as link:
        link.execute(person.update().where(person.c.login == "developer").values(email="dev@example.org", name="Dev"))
        for about, team, actor, state in (
            (other, 2, "developer", "fail"),
            (other, 2, "dev@example.org", "pass"),
            (one, 1, "developer", "fail"),
        ):
            row = {"subject": about, "team": team, "actor": actor, "state": state, "trigger": "push", "queued_at": 1}
            link.execute(assessment.insert(), row)
        new = link.execute(
            subject.insert().returning(subject.c.id), {"kind": "branch", "key": "n", "name": "n", "team": 2, "created_at": 0}
        ).scalar_one()
        link.execute(assessment.insert(), {"subject": new, "team": 2, "actor": "Dev", "state": "fail", "trigger": "push", "queued_at": 1})
    rows = _get(made, "/queue/developer", DEVELOPER)["changes"]
    assert [(row["subject"], row["state"]) for row in rows] == [(new, "fail"), (other, "pass")], "blue's is not his to see"


def test_the_manager_sees_what_stops_and_is_late_in_what_he_may_see(make: Make) -> None:
    made = make()
    _, other = _sample(made.service)
    with made.service.database.write() as link:
        link.execute(subject.update().where(subject.c.id == other).values(state="fail"))
    whole, blue = _get(made, "/queue/manager"), _get(made, "/queue/manager", VIEWER)
    assert (whole["stops"]["at_least"], whole["overdue"]["at_least"]) == (1, 1)
    assert (blue["stops"]["at_least"], blue["overdue"]["at_least"]) == (0, 0)
    assert [row["path"] for row in blue["newest"]] == ["src/mail.py"]


def test_the_stakeholder_sees_figures_of_now_and_of_a_quarter_ago(make: Make) -> None:
    made = make()
    _sample(made.service)
    told = _get(made, "/queue/stakeholder")
    assert [row["open"] for row in told["now"]["rows"]] == [0, 2, 0, 1, 0]
    assert [row["open"] for row in told["before"]["rows"]] == [0] * 5


# --- the trace -------------------------------------------------------------------------------------------------------

_COMMIT, _DIGEST = "c0ffee" + "1" * 34, "sha256:" + "d1" * 32


def _deployed(service: Service) -> None:
    """A commit that mira proposed and pushed, a digest that was built from it, and an environment in which it runs."""
    request = Trigger(TriggerKind.MERGE_REQUEST, after=_COMMIT, merge_request=MergeRequest(7, "main", _COMMIT, title="Print receipts"))
    deployment = Trigger(TriggerKind.DEPLOYMENT, after=_COMMIT, details={"digest": _DIGEST, "url": "https://shop.example.org/"})
    with service.database.write() as link:
        made = link.execute(repository.insert().returning(repository.c.id), {
            "name": "shop", "clone_url": "https://forge.test/shop.git", "web_url": "https://forge.test/shop", "team": 1, "created_at": 0,
        }).scalar_one()  # fmt: skip
        for kind, name, head, details, trigger, actor in (
            ("merge-request", "shop#7", _COMMIT, "{}", request, "mira"),
            (
                "environment",
                "shop production",
                _DIGEST,
                msgspec.json.encode({"digest": _DIGEST, "commit": _COMMIT}).decode(),
                deployment,
                "robot",
            ),
        ):
            about = {"kind": kind, "key": name, "name": name, "ref": name, "repository": made, "team": 1, "created_at": 0, "head": head}
            more = {"details": details, "url": trigger.details.get("url", ""), "state": "pass", "judged_at": SECOND}
            number = link.execute(subject.insert().returning(subject.c.id), {**about, **more}).scalar_one()
            told = {"trigger": trigger.kind, "trigger_details": msgspec.json.encode(trigger).decode(), "actor": actor, "head": head}
            row = {"subject": number, "team": 1, "state": "pass", "queued_at": SECOND, "finished_at": SECOND, **told}
            row["verdict"] = f"sha256:{number:064x}"
            link.execute(assessment.insert(), row)


@pytest.mark.parametrize("asked", [_DIGEST, _COMMIT, _COMMIT[:10], "https://shop.example.org/", "shop production", "shop#7"])
def test_whatever_is_asked_the_trace_holds_what_runs_its_checks_commit_and_people(make: Make, asked: str) -> None:
    made = make()
    _sample(made.service)
    _deployed(made.service)
    found = _get(made, "/trace", q=asked)
    assert [row["name"] for row in found["made"]] == ["shop production"]
    assert {row["subject_name"] for row in found["checks"]} == {"shop#7", "shop production"}
    assert [(row["commit"], row["url"]) for row in found["commits"]] == [(_COMMIT, f"https://forge.test/shop/commit/{_COMMIT}")]
    assert {(row["name"], row["did"]) for row in found["people"]} == {("mira", "Print receipts"), ("robot", "")}
    assert found["endorsement"] == "no endorsement names it"


def test_a_trace_of_somebody_holds_what_he_caused(make: Make) -> None:
    made = make()
    _sample(made.service)
    _deployed(made.service)
    found = _get(made, "/trace", q="mira")
    assert (found["taken_for"], [row["subject_name"] for row in found["checks"]]) == ("somebody", ["shop#7"])


def test_a_trace_holds_nothing_of_other_teams(make: Make) -> None:
    made = make()
    _sample(made.service)
    _deployed(made.service)
    for asked in (_DIGEST, _COMMIT, "shop production", "mira"):
        found = _get(made, "/trace", DEVELOPER, q=asked)
        assert [found[step] for step in ("made", "checks", "commits", "people")] == [[]] * 4, asked
    assert made.client.get(f"{API}/trace", headers=ADMIN, params={"q": " "}).status_code == 400


@pytest.mark.parametrize(
    "hostile", ["'; DROP TABLE subject; --", "%", "_", "http://[", "sha256:" + "z" * 64, "\x00", "a" * 500, "//", "::"]
)
def test_a_trace_of_anything_is_an_answer(make: Make, hostile: str) -> None:
    made = make()
    _sample(made.service)
    answer = made.client.get(f"{API}/trace", headers=ADMIN, params={"q": hostile})
    assert answer.status_code in (200, 400)
