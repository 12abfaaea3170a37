from __future__ import annotations

from typing import Annotated, Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Meta, Struct
from starlette.testclient import TestClient

from assaymark.errors import InternalError, SubjectNotFound, SubjectUnreadable, UsageError
from assaymark.model.access import Permission
from assaymark.server.api.route import Call, Created, Nothing, Page, Router, Upload
from assaymark.server.problem import conflict, not_found
from assaymark.store.tables import setting

from .conftest import BLUE, RED, Make, on_both

ADMIN = {"Authorization": "Bearer admin"}
VIEWER = {"Authorization": "Bearer viewer"}
router = Router("tests")


class Note(Struct, frozen=True):
    text: str
    number: int = 0


class Tree(Struct, frozen=True):
    below: tuple[Tree, ...] = ()


class Kept:
    note = Note("first")
    made = 0


@router.add("GET", "/numbers/{id}", None)
def number(call: Call, id: int, twice: bool = False, word: str | None = None) -> Note:  # noqa: A002
    """A number."""
    return Note(word or "", id * 2 if twice else id)


@router.add("GET", "/numbers", None)
def numbers(call: Call, limit: int = 50, words: tuple[str, ...] = (), size: Annotated[int | None, Meta(description="How big.")] = None) -> Page[Note]:  # fmt: skip  # noqa: E501
    return Page(tuple(Note(word) for word in words[:limit]))


@router.add("POST", "/notes", None, status=201)
def make_note(call: Call, body: Note) -> Created:
    Kept.made += 1
    if body.text == "conflict":
        raise conflict("no")
    with call.service.database.write() as connection:  # what no database takes must not get here
        connection.execute(setting.delete())
        connection.execute(setting.insert(), {"name": body.text, "value": "", "changed_at": body.number})
    return Created(Kept.made)


@router.add("POST", "/trees", None)
def plant(call: Call, body: Tree) -> Nothing:
    return Nothing()


@router.add("POST", "/maybe", None)
def maybe(call: Call, body: Note | None) -> Note:
    return body or Note("none")


@router.add("POST", "/files", None, most_bytes=100)
def file(call: Call, body: Upload) -> Note:
    return Note(body.kind, len(body.data))


@router.add("GET", "/note", None)
def note(call: Call) -> Note:
    return Kept.note


@router.add("PUT", "/note", None)
def put_note(call: Call, body: Note) -> Note:
    call.expect(Kept.note)
    Kept.note = body
    return body


@router.add("DELETE", "/alone", None)
def remove_alone(call: Call) -> Nothing:
    return Nothing()


@router.add("GET", "/teams/{team}", Permission.SUBJECTS_READ)
def of_team(call: Call, team: int) -> Note:
    call.need(Permission.SUBJECTS_READ, team)
    return Note("", team)


@router.add("GET", "/audit", Permission.AUDIT_READ)
def audit(call: Call) -> Note:
    return Note("")


@router.add("GET", "/open", None, public=True)
def public(call: Call) -> Note:
    return Note(call.principal.login if call.principal else "")


REASONS: dict[str, Exception] = {
    "usage": UsageError("no"),
    "missing": SubjectNotFound("no"),
    "broken": SubjectUnreadable("no"),
    "internal": InternalError("no"),
    "gone": not_found("it"),
    "defect": RuntimeError("a secret thing"),
    "down": sa.exc.OperationalError("select 1", {}, Exception("no")),
}


@router.add("GET", "/raise/{what}", None)
def raises(call: Call, what: str) -> Note:
    if what in REASONS:
        raise REASONS[what]
    with call.service.database.write() as connection:
        for _ in range(2):
            connection.execute(setting.insert(), {"name": "a", "value": "", "changed_at": 1 << 70 if what == "beyond" else 1})
    raise AssertionError(what)


@pytest.fixture
def client(make: Make) -> TestClient:
    Kept.note, Kept.made = Note("first"), 0
    return make(router.operations).client


def _problem(answer: Any, status: int, code: str = "") -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status
    assert said["request"] == answer.headers["x-request-id"]
    assert said["type"].endswith(f"/problems/{code}") or not code
    assert answer.headers["cache-control"] == "no-store"
    return f"{said['title']} {said.get('detail', '')} {said.get('advice', '')}"


# --- who may ---------------------------------------------------------------------------------------------------------


def test_nobody_learns_how_to_sign_in(client: TestClient) -> None:
    answer = client.get("/api/v1/note")
    assert "Bearer" in _problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/api/v1/open").json()["text"] == ""


def test_a_wrong_token_is_refused_even_where_anybody_may_ask(client: TestClient) -> None:
    _problem(client.get("/api/v1/open", headers={"Authorization": "Bearer nobody"}), 401)


def test_a_role_in_one_team_says_nothing_of_another(client: TestClient) -> None:
    assert client.get(f"/api/v1/teams/{BLUE}", headers=VIEWER).json()["number"] == BLUE
    assert "subjects:read" in _problem(client.get(f"/api/v1/teams/{RED}", headers=VIEWER), 403, "forbidden")
    _problem(client.get("/api/v1/audit", headers=VIEWER), 403)
    _problem(client.get("/api/v1/audit", headers={"Authorization": "Bearer robot"}), 403)
    assert client.get("/api/v1/audit", headers=ADMIN).status_code == 200


# --- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?limt=5", "limt"),
        ("?limit=0", "between 1 and 200"),
        ("?limit=201", "between 1 and 200"),
        ("?limit=-1", "between"),
        ("?limit=two", "limit"),
        ("?limit=", "limit"),
        ("?limit=5&limit=6", "2 times"),
        ("?size=9223372036854775808", "64 bits"),
        ("?size=" + "9" * 4000, "64 bits"),
        ("?size=" + "9" * 5000, "4096"),
        ("?words=a%00b", "words"),
        ("?words=" + "a" * 5000, "4096"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(client: TestClient, query: str, names: str) -> None:
    assert names in _problem(client.get(f"/api/v1/numbers{query}", headers=ADMIN), 400, "invalid")


def test_a_stranger_among_parameters_is_told_which_there_are(client: TestClient) -> None:
    assert "limit, words, size" in _problem(client.get("/api/v1/numbers?page=2", headers=ADMIN), 400)


def test_parameters_are_converted(client: TestClient) -> None:
    assert client.get("/api/v1/numbers/21?twice=true&word=null", headers=ADMIN).json() == {"text": "null", "number": 42}
    found = client.get("/api/v1/numbers?words=a&words=b&limit=200", headers=ADMIN).json()
    assert [each["text"] for each in found["items"]] == ["a", "b"]


@pytest.mark.parametrize("id", ["9223372036854775808", "-9223372036854775809", "x", "1%00", "%F0%9F%92%A9", "0x10", "1 "])
def test_a_number_in_the_path_is_bounded(client: TestClient, id: str) -> None:  # noqa: A002
    _problem(client.get(f"/api/v1/numbers/{id}", headers=ADMIN), 400, "invalid")


# --- documents -------------------------------------------------------------------------------------------------------


def _post(client: TestClient, data: bytes, kind: str = "application/json", path: str = "/notes", **headers: str) -> Any:
    return client.post(f"/api/v1{path}", content=data, headers=ADMIN | {"Content-Type": kind} | headers)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[]", "object"),
        (b'{"text":1}', "$.text"),
        (b'{"text":"\\u0000"}', "U+0000"),
        (b'{"text":"\\\\\\u0000"}', "U+0000"),
        (b'{"text":"\\ud800"}', "no JSON"),
        (b'{"text":"\xff"}', "UTF-8"),
        (b'{"text":"a","number":9223372036854775808}', "64 bits"),
        (b'{"text":"a","number":-9223372036854775809}', "64 bits"),
        (b'{"text":"a","number":1' + b"0" * 4000 + b"}", ""),
        (b'{"text":"a","number":1e400}', ""),
        (b'{"text":"a","number":NaN}', "no JSON"),
        (b'{"text":"a","other":' + b"[" * 200_000 + b"]" * 200_000 + b"}", ""),
    ],
    ids=range(14),
)
def test_a_document_that_makes_no_sense_is_refused(client: TestClient, data: bytes, says: str) -> None:
    assert says in _problem(_post(client, data), 400, "invalid")
    assert Kept.made == 0


@on_both
def test_text_that_only_looks_like_nul_or_a_long_number_is_let_through(client: TestClient) -> None:
    assert _post(client, b'{"text":"\\\\u0000 9999999999999999999999"}').status_code == 201


def test_a_document_nested_without_end_is_refused(client: TestClient) -> None:
    deep = b'{"below":[' * 20_000 + b"]}" * 20_000
    assert "deep" in _problem(_post(client, deep, path="/trees"), 400)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "application/xml"]
)
def test_a_document_of_another_kind_is_refused(client: TestClient, kind: str) -> None:
    answer = _post(client, b'{"text":"a"}', kind)
    _problem(answer, 415, "unsupported-media-type")
    assert answer.headers["accept"] == "application/json"


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json"])
def test_json_by_its_other_names_is_read(client: TestClient, kind: str) -> None:
    assert _post(client, b'{"text":"a"}', kind).status_code == 201


def test_an_operation_without_document_refuses_one(client: TestClient) -> None:
    _problem(client.request("DELETE", "/api/v1/alone", content=b'{"a":1}', headers=ADMIN), 400)
    assert client.request("DELETE", "/api/v1/alone", content=b"{}", headers=ADMIN).status_code == 204


def test_a_document_that_may_lack_may_lack(client: TestClient) -> None:
    assert _post(client, b"", "", "/maybe").json()["text"] == "none"
    assert _post(client, b'{"text":"a"}', path="/maybe").json()["text"] == "a"


def test_a_body_beyond_the_bound_is_not_read(client: TestClient) -> None:
    assert "100 bytes" in _problem(_post(client, b"a" * 101, path="/files"), 413, "too-large")
    _problem(client.post("/api/v1/files", content=iter([b"a" * 60, b"b" * 60]), headers=ADMIN), 413)
    assert _post(client, b"a" * 100, "text/x", "/files").json() == {"text": "text/x", "number": 100}


# --- methods and addresses -------------------------------------------------------------------------------------------


def test_a_method_that_is_not_there_is_a_problem_that_names_those_that_are(client: TestClient) -> None:
    answer = client.delete("/api/v1/note", headers=ADMIN)
    _problem(answer, 405, "method-not-allowed")
    assert {each.strip() for each in answer.headers["allow"].split(",")} == {"GET", "HEAD", "PUT", "OPTIONS"}
    _problem(client.request("TRACE", "/api/v1/note", headers=ADMIN), 405)
    _problem(client.request("BREW", "/api/v1/note", headers=ADMIN), 405)


def test_options_names_methods_and_opens_nothing_to_other_sites(client: TestClient) -> None:
    answer = client.options("/api/v1/note", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"})
    assert answer.status_code == 204
    assert "PUT" in answer.headers["allow"]
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_head_answers_as_get_without_a_document(client: TestClient) -> None:
    got, told = client.get("/api/v1/note", headers=ADMIN), client.head("/api/v1/note", headers=ADMIN)
    assert told.content == b""
    assert told.headers["etag"] == got.headers["etag"]
    assert told.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/nothing", "/api/v1/note/", "/api/v2/note", "//evil.example/", "/api/v1/%2e%2e/note", "/api/v1/numbers/"])  # fmt: skip  # noqa: E501
def test_an_address_that_is_not_there_is_a_problem(client: TestClient, path: str) -> None:
    answer = client.get(f"http://127.0.0.1:8750{path}", headers=ADMIN, follow_redirects=False)
    _problem(answer, 404, "not-found")


# --- entity tags -----------------------------------------------------------------------------------------------------


def test_what_the_caller_has_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/api/v1/note", headers=ADMIN).headers["etag"]
    for said in (tag, f"W/{tag}", f'"a,b", {tag}', "*", f' "x" ,W/{tag}'):
        answer = client.get("/api/v1/note", headers=ADMIN | {"If-None-Match": said})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag), said
    for said in ('"other"', tag.strip('"'), "", "W/*", '"*"'):
        assert client.get("/api/v1/note", headers=ADMIN | {"If-None-Match": said}).status_code == 200, said


def test_private_answers_are_kept_by_nobody_between(client: TestClient) -> None:
    assert client.get("/api/v1/note", headers=ADMIN).headers["cache-control"] == "private, no-cache"
    assert _post(client, b'{"text":"a"}').headers["cache-control"] == "no-store"


def test_a_change_of_what_somebody_changed_since_is_refused(client: TestClient) -> None:
    seen = client.get("/api/v1/note", headers=ADMIN).headers["etag"]

    def put(text: str, tag: str) -> Any:
        return client.put("/api/v1/note", json={"text": text}, headers=ADMIN | {"If-Match": tag})

    assert put("second", seen).status_code == 200
    assert "read it again" in _problem(put("third", seen), 412, "changed")
    _problem(put("third", f"W/{client.get('/api/v1/note', headers=ADMIN).headers['etag']}"), 412)
    assert put("third", "*").status_code == 200
    assert put("fourth", f'"x", {client.get("/api/v1/note", headers=ADMIN).headers["etag"]}').status_code == 200
    assert Kept.note.text == "fourth"


def test_a_condition_on_what_has_no_state_is_refused(client: TestClient) -> None:
    _problem(client.delete("/api/v1/alone", headers=ADMIN | {"If-Match": '"a"'}), 412, "unversioned")


# --- what went wrong -------------------------------------------------------------------------------------------------


@on_both
@pytest.mark.parametrize(
    ("what", "status"),
    [("usage", 400), ("missing", 404), ("broken", 422), ("internal", 503), ("gone", 404), ("taken", 409), ("beyond", 400), ("down", 503)],
)
def test_each_reason_has_its_status(client: TestClient, what: str, status: int) -> None:
    _problem(client.get(f"/api/v1/raise/{what}", headers=ADMIN), status)


def test_a_defect_tells_nothing_but_its_number(client: TestClient) -> None:
    answer = client.get("/api/v1/raise/defect", headers=ADMIN)
    _problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert "Runtime" not in answer.text


# --- anything at all -------------------------------------------------------------------------------------------------


@on_both
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda value: repr(value).encode()))
def test_no_document_ends_in_a_defect(client: TestClient, data: bytes) -> None:
    for path in ("/notes", "/trees", "/maybe"):
        assert _post(client, data, path=path).status_code < 500


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_no_parameter_ends_in_a_defect(client: TestClient, id: str, word: str, name: str) -> None:  # noqa: A002
    from urllib.parse import quote  # noqa: PLC0415

    spelled = [quote(each, safe="", errors="surrogatepass") for each in (id, word, name)]
    answer = client.get(f"/api/v1/numbers/{spelled[0]}?word={spelled[1]}&{spelled[2]}={spelled[1]}", headers=ADMIN)
    assert answer.status_code < 500
