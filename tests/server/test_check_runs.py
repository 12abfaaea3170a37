"""A GitHub App's check runs: annotations in portions, one run that goes on after a kill, buttons that ask and decide nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from tests.feedback.test_feedback_facts import check
from tests.views import views_sample

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.feedback.forges import check_runs
from assaymark.feedback.forges.ask import Target
from assaymark.feedback.forges.check_runs import BATCH, MOST, About, CheckRun, ask, run_of
from assaymark.model.assessment import SECOND, AssessmentId, AssessmentState, Instant
from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.model.verdict import Verdict
from assaymark.server import github_app
from assaymark.server.github_app import App, checked_key
from assaymark.server.service import Service
from assaymark.server.work import deliver as deliver_module
from assaymark.server.work import wishing
from assaymark.server.work.deliver import announce, deliver
from assaymark.store.tables import assessment, connection, decision_request, finding, happening, repository, setting, subject
from assaymark.triggers.webhooks.delivery import Wish
from assaymark.views.encoding import packed

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
HEAD = "b" * 40
TARGET = Target("team/app", "42", HEAD, 7)


def about(state: AssessmentState = AssessmentState.FAIL, number: int = 1) -> About:
    return About(number, state, "2 new findings", f"https://assay.example/changes/{number}", "assaymark")


# --- requests as data ------------------------------------------------------------------------------------------------


def requests(run: CheckRun) -> list[Any]:
    return [ask(TARGET, run, "" if batch == 0 else "9", batch) for batch in range(run.batches)]


@pytest.mark.parametrize("verdict", [views_sample.rich(), views_sample.hostile(), views_sample.huge(180), views_sample.unproven(), None])
@pytest.mark.parametrize("state", AssessmentState)
def test_every_request_is_one_that_github_publishes(state: AssessmentState, verdict: Verdict | None) -> None:
    for each in requests(run_of(about(state), verdict)):
        check("github", each)
        output = each.body["output"]
        assert len(output.get("annotations", [])) <= BATCH
        assert 0 < len(output["title"]) <= 255
        assert len(output["summary"]) <= 65535
        for action in each.body.get("actions", []):
            assert len(action["label"]) <= 20
            assert len(action["description"]) <= 40
            assert len(action["identifier"]) <= 20


def test_a_run_is_concluded_by_the_last_portion_only() -> None:
    sent = requests(run_of(about(), views_sample.huge(180)))
    assert len(sent) > 2
    assert [each.method for each in sent] == ["POST", *["PATCH"] * (len(sent) - 1)]
    assert ["conclusion" in each.body for each in sent] == [False] * (len(sent) - 1) + [True]
    assert {each.body["status"] for each in sent[:-1]} == {"in_progress"}


def test_what_is_beyond_the_bound_is_said_and_not_sent() -> None:
    run = run_of(about(), views_sample.huge(2_000))
    assert len(run.annotations) == MOST
    assert "more places" in run.summary


@pytest.mark.parametrize("state", AssessmentState)
def test_only_a_pass_is_a_success(state: AssessmentState) -> None:
    run = run_of(about(state), None)
    assert (run.conclusion in ("success", "neutral", "skipped")) is (state is AssessmentState.PASS)
    assert run.is_open is (state in (AssessmentState.QUEUED, AssessmentState.RUNNING))


def test_buttons_stand_where_something_is_to_be_done() -> None:
    assert [each["identifier"] for each in ask(TARGET, run_of(about(), None), "", 0).body["actions"]] == ["explain", "waiver"]  # type: ignore[index]
    assert ask(TARGET, run_of(about(AssessmentState.PASS), None), "", 0).body["actions"] == []  # type: ignore[index]


def test_an_explanation_says_why_and_shows_safe_code_and_references() -> None:
    text = run_of(about(), views_sample.rich(), explained=True).text
    assert "```" in text
    assert "https://cwe.mitre.org" in text or "owasp.org" in text
    assert len(text) <= 65535


def test_words_of_others_have_no_effect_in_a_run() -> None:
    run = run_of(about(), views_sample.hostile())
    for each in run.annotations:
        assert each["path"].isprintable()
        assert all(letter.isprintable() or letter == "\n" for letter in each["message"])


# --- the App ---------------------------------------------------------------------------------------------------------


def test_an_app_says_who_it_is_for_less_than_ten_minutes() -> None:
    head, claims, signature = github_app.assertion(App("123", 5), PEM, 1_000_000).split(".")

    def read(part: str) -> bytes:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    KEY.public_key().verify(read(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert json.loads(read(head)) == {"alg": "RS256", "typ": "JWT"}
    said = json.loads(read(claims))
    assert said["iss"] == "123"
    assert said["iat"] < 1_000_000 < said["exp"] <= said["iat"] + 600


@pytest.mark.parametrize("text", ["", "ghp_x", PEM.replace("A", "B", 40)])
def test_what_is_no_key_of_an_app_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        checked_key(text)


def test_a_key_of_another_kind_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    with pytest.raises(UsageError):
        checked_key(pem)


class Answer:
    def __init__(self, status_code: int, document: Any) -> None:
        self.status_code, self.document = status_code, document

    def json(self) -> Any:
        return self.document


class GitHub:
    """Gives tokens and numbers runs."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any, str]] = []
        self.runs = 0
        self.fail_after = 10**6
        self.gives = 201

    def request(self, method: str, url: str, *, json: Any = None, params: Any = None, headers: Any = None) -> Answer:
        if url.endswith("/access_tokens"):
            self.asked.append((method, url, None, headers["Authorization"]))
            return Answer(self.gives, {"token": "ghs_made", "expires_at": "2099-01-01T00:00:00Z"})
        if len([each for each in self.asked if "/check-runs" in each[1]]) >= self.fail_after:
            return Answer(502, {})
        self.asked.append((method, url, json, headers["Authorization"]))
        self.runs += method == "POST" and url.endswith("/check-runs")
        return Answer(201, {"id": self.runs if method == "POST" else int(url.rpartition("/")[2])})

    @property
    def told(self) -> list[tuple[str, str, Any]]:
        return [(method, url.rpartition("/")[2], body) for method, url, body, _ in self.asked if "/check-runs" in url]


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> GitHub:
    made = GitHub()

    @contextmanager
    def client(_settings: object, **_: object) -> Iterator[GitHub]:
        yield made

    for module in (deliver_module, github_app, wishing):
        monkeypatch.setattr(module, "outgoing_client", client)
    return made


class Attempt:
    number = 1
    is_last = False

    def should_stop(self) -> bool:
        return False


def judged(service: Service, state: AssessmentState, verdict: Verdict | None = None) -> AssessmentId:
    remote = RemoteRepository("team/app", "https://x/y")
    trigger = Trigger(
        TriggerKind.MERGE_REQUEST, remote, SubjectKind.MERGE_REQUEST, ref="refs/pull/7/head", merge_request=MergeRequest(7, "main", HEAD)
    )  # fmt: skip
    with service.database.write() as link:
        if not link.execute(sa.select(connection.c.id)).first():
            options = msgspec.json.encode({"app_id": "123", "installation_id": 5}).decode()
            row = {"id": 1, "kind": "github", "name": "forge", "api_url": "https://forge.example/api", "options": options, "created_at": 0}
            link.execute(connection.insert(), row | {"token": service.vault.seal("connection:1:token", PEM)})
            link.execute(repository.insert(), {"id": 1, "connection": 1, "name": "team/app", "clone_url": "https://x/y", "created_at": 0})
            row = {"id": 1, "kind": "merge-request", "key": "1:7", "name": "team/app#7", "repository": 1, "created_at": 0}
            link.execute(subject.insert(), row)
        row = {"subject": 1, "state": state, "trigger": "merge-request", "head": HEAD, "queued_at": 0, "summary": "s"}
        row |= {"trigger_details": msgspec.json.encode(trigger).decode()}
        row |= {"verdict": str(service.blobs.put(packed(verdict)))} if verdict is not None else {}
        number = AssessmentId(link.execute(assessment.insert().returning(assessment.c.id), row).scalar_one())
        announce(service, link, number)
    return number


def test_where_an_app_is_the_verdict_is_a_check_run_and_no_status(service: Service, github: GitHub) -> None:
    judged(service, AssessmentState.PASS)
    deliver(service, {}, Attempt())
    ((method, _, body),) = github.told
    assert (method, body["conclusion"], body["head_sha"], body["external_id"]) == ("POST", "success", HEAD, "1")
    assert not any("/statuses/" in each[1] for each in github.asked)
    assert github.asked[-1][3] == "Bearer ghs_made"
    assert all("PRIVATE KEY" not in each[3] for each in github.asked)


def test_the_installation_s_token_is_asked_for_once_and_kept_sealed(service: Service, github: GitHub) -> None:
    for _ in range(2):
        judged(service, AssessmentState.PASS)
        deliver(service, {}, Attempt())
    assert len([each for each in github.asked if each[1].endswith("/app/installations/5/access_tokens")]) == 1
    with service.database.read() as link:
        assert "ghs_made" not in "".join(link.execute(sa.select(setting.c.value)).scalars())
    late = msgspec.structs.replace(service, now=lambda: Instant(4_070_908_800 * SECOND))  # 2099
    judged(late, AssessmentState.FAIL)
    deliver(late, {}, Attempt())
    assert len([each for each in github.asked if each[1].endswith("/access_tokens")]) > 1


@pytest.mark.parametrize(("code", "error"), [(401, UsageError), (404, UsageError), (500, SubjectUnreadable)])
def test_an_app_that_is_given_no_token_says_why(service: Service, github: GitHub, code: int, error: type[Exception]) -> None:
    judged(service, AssessmentState.PASS)
    github.gives = code
    with pytest.raises(error):
        github_app.usable_token(service, 1)


def test_a_run_that_waits_becomes_the_verdict_and_another_verdict_is_another_run(service: Service, github: GitHub) -> None:
    judged(service, AssessmentState.QUEUED)
    deliver(service, {}, Attempt())
    judged(service, AssessmentState.FAIL, views_sample.rich())
    deliver(service, {}, Attempt())
    judged(service, AssessmentState.PASS)
    deliver(service, {}, Attempt())
    said = [(method, number, body["status"], body.get("conclusion")) for method, number, body in github.told]
    assert said == [
        ("POST", "check-runs", "queued", None),
        ("PATCH", "1", "completed", "failure"),
        ("POST", "check-runs", "completed", "success"),
    ]


def test_the_same_verdict_is_not_said_twice(service: Service, github: GitHub) -> None:
    number = judged(service, AssessmentState.FAIL, views_sample.rich())
    deliver(service, {}, Attempt())
    with service.database.write() as link:
        announce(service, link, number)
    deliver(service, {}, Attempt())
    assert len(github.told) == 1


def test_after_a_failure_in_the_middle_no_annotation_is_sent_twice(service: Service, github: GitHub) -> None:
    number = judged(service, AssessmentState.FAIL, views_sample.huge(180))
    github.fail_after = 2
    deliver(service, {}, Attempt())
    assert [method for method, _, _ in github.told] == ["POST", "PATCH"]
    github.fail_after = 10**6
    with service.database.write() as link:
        announce(service, link, number)
    deliver(service, {}, Attempt())
    sent = [
        (each["path"], each["start_line"], each["title"]) for _, _, body in github.told for each in body["output"].get("annotations", [])
    ]
    assert len(sent) == len(check_runs.run_of(about(), views_sample.huge(180)).annotations)
    assert {number for _, number, _ in github.told[1:]} == {"1"}
    assert github.told[-1][2]["conclusion"] == "failure"


# --- buttons ---------------------------------------------------------------------------------------------------------


def press(service: Service, what: str, **more: Any) -> None:
    wish = Wish(**{"what": what, "external": "1", "remote": "1", "head": HEAD, "actor": "octo"} | more)
    wishing.fulfil(service, {"connection": 1, **msgspec.structs.asdict(wish)}, Attempt())


def requests_of(service: Service) -> list[Any]:
    with service.database.read() as link:
        return list(link.execute(sa.select(decision_request)))


def known(service: Service, verdict: Verdict) -> None:
    """Its findings, as recording writes them."""
    with service.database.write() as link:
        for fingerprint in {each.finding.fingerprint for each in verdict.findings}:
            row = {"fingerprint": fingerprint, "kind": "code", "layer": "application", "rule_class": "c", "rule": "r", "title": "t"}
            link.execute(finding.insert(), row | {"core": "[]", "first_seen_at": 0})


def test_a_button_explains_in_the_run_that_has_it(service: Service, github: GitHub) -> None:
    judged(service, AssessmentState.FAIL, views_sample.rich())
    press(service, "explain", remote="77")
    ((method, number, body),) = github.told
    assert (method, number) == ("PATCH", "77")
    assert "```" in body["output"]["text"]


def test_a_button_asks_for_a_waiver_once_and_decides_nothing(service: Service, github: GitHub) -> None:
    verdict = views_sample.rich()
    known(service, verdict)
    judged(service, AssessmentState.FAIL, verdict)
    press(service, "waiver")
    press(service, "waiver")
    gating = {each.finding.fingerprint for each in verdict.findings if each.gates}
    assert len(requests_of(service)) == len(gating) > 0
    assert {row.asked_by for row in requests_of(service)} == {"octo"}
    with service.database.read() as link:
        assert list(link.execute(sa.select(happening.c.kind)).scalars()) == ["request.asked"]


@pytest.mark.parametrize("more", [{"external": "99"}, {"external": "x"}, {"external": ""}, {"head": "c" * 40}])
def test_a_wish_about_something_else_is_none(service: Service, github: GitHub, more: dict[str, str]) -> None:
    verdict = views_sample.rich()
    known(service, verdict)
    judged(service, AssessmentState.FAIL, verdict)
    press(service, "waiver", **more)
    assert requests_of(service) == []


def test_a_wish_that_came_by_another_connection_is_none(service: Service, github: GitHub) -> None:
    verdict = views_sample.rich()
    known(service, verdict)
    judged(service, AssessmentState.FAIL, verdict)
    wish = Wish("waiver", "1", "1", HEAD, "octo")
    wishing.fulfil(service, {"connection": 2, **msgspec.structs.asdict(wish)}, Attempt())
    assert requests_of(service) == []


def test_re_run_judges_it_again(service: Service, github: GitHub) -> None:
    judged(service, AssessmentState.FAIL, views_sample.rich())
    press(service, "again")
    with service.database.read() as link:
        assert "queued" in list(link.execute(sa.select(assessment.c.state)).scalars())
