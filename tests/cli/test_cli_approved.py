"""`assay approved`: over a real socket, against a server that answers as ours does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from assaymark.cli.approved import command
from assaymark.errors import UsageError

LOCK = (
    '{"name": "shop", "lockfileVersion": 3, "packages": {"": {"name": "shop"},'
    ' "node_modules/left-pad": {"version": "1.3.0", "resolved": "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz"},'
    ' "node_modules/right-pad": {"version": "1.0.0", "resolved": "https://registry.npmjs.org/right-pad/-/right-pad-1.0.0.tgz"}}}'
)
pytestmark = pytest.mark.enable_socket


class Server:
    """What it was asked, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.approved = {"pkg:npm/left-pad@1.3.0"}
        self.status = 200
        handler = self._handler()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, body: Any) -> Any:
        if body is None:
            row = {"id": 7, "name": "pkg:npm/left-pad", "version": "1.3.0", "state": "expired", "instead": "1.3.1\x1b[0m"}
            return {"items": [{**row, "adoption": {"subjects": 3, "teams": 1, "at_least": False}}], "next": None}
        rows = []
        for each in body["components"]:
            good = each["purl"] in self.approved
            state = "approved" if good else "not-endorsed"
            rows.append(
                {"purl": each["purl"], "approved": good, "state": state, "why": [] if good else [state], "instead": "" if good else "2.0.0"}
            )
        return {"components": rows}

    def _handler(outer) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler has a `self` of its own
        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                outer.asked.append((self.path, self.headers["authorization"], body))
                said = outer.answer(body) if outer.status == 200 else {"title": "no", "detail": "it is not yours"}
                data = json.dumps(said).encode()
                self.send_response(outer.status)
                if outer.status == 302:
                    self.send_header("location", "http://127.0.0.1:1/")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _do  # noqa: N815 - names of the library

            def log_message(self, *_words: Any) -> None:
                """Nothing."""

        return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server()
    monkeypatch.setenv("ASSAYMARK_SERVER", made.url)
    monkeypatch.setenv("ASSAYMARK_TOKEN", "of-the-test")
    yield made
    made.close()


def run(*words: str) -> Result:
    return CliRunner().invoke(command, list(words))


def test_what_may_not_be_used_is_named_with_what_to_take_instead(server: Server, tmp_path: Path) -> None:
    (tmp_path / "package-lock.json").write_text(LOCK)
    for target in (tmp_path, tmp_path / "package-lock.json"):
        found = run("check", str(target))
        assert found.exit_code == 1
        assert "pkg:npm/right-pad@1.0.0 may not be used (not-endorsed): take 2.0.0" in found.output
        assert "left-pad@1.3.0 may" not in found.output
    server.approved.add("pkg:npm/right-pad@1.0.0")
    assert run("check", str(tmp_path)).exit_code == 0
    assert {authorization for _, authorization, _ in server.asked} == {"Bearer of-the-test"}


def test_json_is_for_programs_and_a_gap_is_no_pass(server: Server, tmp_path: Path) -> None:
    server.approved.add("pkg:npm/right-pad@1.0.0")
    (tmp_path / "package-lock.json").write_text(LOCK)
    (tmp_path / "poetry.lock").write_text("this is none [")
    found = run("check", "--json", str(tmp_path))
    assert found.exit_code == 1
    said = json.loads(found.stdout)
    assert (said["checked"], said["refused"], len(said["unread"])) == (2, [], 1)


def test_a_list_holds_no_letters_that_steer_a_terminal(server: Server) -> None:
    found = run("list", "left", "--kind", "package")
    assert found.exit_code == 0
    assert "expired" in found.output
    assert "take 1.3.1?[0m" in found.output
    assert server.asked[0][0].startswith("/api/v1/approved?name=left&kind=package")


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_what_cannot_be_answered_is_an_error_and_never_a_pass(server: Server, tmp_path: Path, status: int) -> None:
    (tmp_path / "package-lock.json").write_text(LOCK)
    server.status = status
    found = run("check", str(tmp_path))
    assert isinstance(found.exception, UsageError)
    assert str(status) in str(found.exception)


@pytest.mark.parametrize(
    ("address", "token", "says"),
    [("", "t", "which server"), ("http://assay.example", "t", "is not asked"), ("https://a.example", "", "no token")],
)
def test_a_token_goes_to_a_named_place_over_tls(monkeypatch: pytest.MonkeyPatch, address: str, token: str, says: str) -> None:
    monkeypatch.setenv("ASSAYMARK_SERVER", address)
    monkeypatch.setenv("ASSAYMARK_TOKEN", token)
    found = run("list")
    assert isinstance(found.exception, UsageError)
    assert says in str(found.exception)
