"""What is asked of forges, with a client that records; the published descriptions are compared in `acceptance`."""

from __future__ import annotations

from typing import Any

import pytest

from assaymark.feedback.forges.ask import Target
from assaymark.feedback.forges.send import FORGES, NotUnderstood, Place, Refused, say, set_status
from assaymark.feedback.message import Comment, Status, StatusState, comment, status
from assaymark.model.assessment import AssessmentState

TARGET = Target("team/sub/pro ject", "42", "a" * 40, 7)
COMMENT = Comment("<!-- m -->\nhello", "<!-- m -->")


class Answer:
    def __init__(self, status_code: int, document: Any) -> None:
        self.status_code, self.document = status_code, document

    def json(self) -> Any:
        return self.document


class Recorder:
    """Answers what it was told to, in order, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []

    def request(self, method: str, url: str, *, json: Any = None, params: Any = None, headers: Any = None) -> Answer:
        assert any("t0ken" in value for value in headers.values())
        self.asked.append((method, url, json))
        return self.answers.pop(0)


def _place(kind: str) -> Place:
    return Place(kind, "https://forge.example/api", "t0ken", TARGET)


def _comments(kind: str, *bodies: str) -> Any:
    shape = (lambda text: {"content": {"raw": text}}) if kind == "bitbucket" else (lambda text: {"body": text})
    listed = [{"id": number, **shape(text)} for number, text in enumerate(bodies, 1)]
    return {"values": listed} if kind == "bitbucket" else listed


@pytest.mark.parametrize("kind", FORGES)
def test_the_status_names_the_commit_and_links_the_page(kind: str) -> None:
    recorder = Recorder(Answer(201, {}))
    set_status(recorder, _place(kind), Status(StatusState.FAILURE, "2 new findings", "https://assay.example/changes/1"))
    ((method, url, body),) = recorder.asked
    assert method == "POST"
    assert "a" * 40 in url
    assert "https://assay.example/changes/1" in body.values()
    assert " " not in url


@pytest.mark.parametrize("kind", FORGES)
def test_a_first_comment_is_written_and_a_later_one_updates_it(kind: str) -> None:
    recorder = Recorder(Answer(201, {"id": 99}), Answer(200, {"id": 99}))
    number = say(recorder, _place(kind), COMMENT, "")
    assert number == "99"
    assert say(recorder, _place(kind), COMMENT, number) == "99"
    assert [method for method, _, _ in recorder.asked] in (["POST", "PATCH"], ["POST", "PUT"])
    assert recorder.asked[1][1].endswith("/99")


@pytest.mark.parametrize("kind", FORGES)
def test_a_comment_that_somebody_deleted_is_written_again(kind: str) -> None:
    recorder = Recorder(Answer(404, {}), Answer(201, {"id": 100}))
    assert say(recorder, _place(kind), COMMENT, "99") == "100"


class NoJson(Answer):
    def json(self) -> Any:
        raise ValueError("Expecting value")


@pytest.mark.parametrize("kind", FORGES)
def test_what_was_taken_is_done_whatever_stands_in_the_answer(kind: str) -> None:
    assert say(Recorder(NoJson(204, None)), _place(kind), COMMENT, "99") == "99"
    set_status(Recorder(NoJson(201, None)), _place(kind), Status(StatusState.SUCCESS, "nothing new", "u"))


@pytest.mark.parametrize("kind", FORGES)
@pytest.mark.parametrize("answer", [NoJson(200, None), Answer(200, {}), Answer(200, []), Answer(200, None), Answer(200, "x")])
def test_an_answer_that_is_not_the_api_s_is_said_to_be_that(kind: str, answer: Answer) -> None:
    with pytest.raises(NotUnderstood):
        say(Recorder(answer), _place(kind), COMMENT, "")


@pytest.mark.parametrize("kind", FORGES)
def test_after_a_kill_our_own_comment_is_found_by_its_marker(kind: str) -> None:
    recorder = Recorder(Answer(200, _comments(kind, "hi", "see <!-- m -->", "<!-- m -->\nold")), Answer(200, {"id": 3}))
    assert say(recorder, _place(kind), COMMENT, "", search=True) == "3"


@pytest.mark.parametrize(("code", "may_pass"), [(500, True), (429, True), (403, False), (422, False)])
def test_a_refusal_says_whether_trying_again_can_help(code: int, may_pass: bool) -> None:
    with pytest.raises(Refused) as refused:
        say(Recorder(Answer(code, {})), _place("github"), COMMENT, "")
    assert refused.value.may_pass is may_pass
    assert "t0ken" not in refused.value.diagnosis()


def test_a_place_does_not_print_its_token() -> None:
    assert "t0ken" not in repr(_place("github"))


@pytest.mark.parametrize("state", AssessmentState)
def test_every_state_has_its_mark(state: AssessmentState) -> None:
    mark = status(state, "x" * 500, "https://assay.example/changes/1")
    assert len(mark.description) == 140
    assert (mark.state is StatusState.SUCCESS) is (state is AssessmentState.PASS)


def test_what_was_cancelled_is_no_success_in_any_forge_s_words() -> None:
    for forge in FORGES.values():
        ask = forge.status(TARGET, Status(StatusState.CANCELLED, "assessment 9 covers it", "u"))
        assert ask.body is not None
        assert ask.body["state"] in ("error", "canceled", "STOPPED")


def test_unproven_is_an_error_and_never_a_success() -> None:
    mark = status(AssessmentState.UNPROVEN, "", "u")
    assert mark.state is StatusState.ERROR


def test_without_a_verdict_the_comment_says_why_and_holds_no_foreign_markup() -> None:
    said = comment(None, "commit @everyone <script> is gone", "https://assay.example/changes/1", nonce="abc")
    assert said.body.startswith(said.marker)
    assert "<script>" not in said.body
    assert "@everyone" not in said.body
    assert comment(None, "x", "u", nonce="other").marker != said.marker
