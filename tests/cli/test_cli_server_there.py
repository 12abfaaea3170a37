"""What commands say of a server that does not answer as it should: what, where, what to do; and never that something was done."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.listening import listening

import assaymark
from assaymark.cli import server_there
from assaymark.cli.approved import command as approved
from assaymark.cli.endorse import command as endorse
from assaymark.cli.revoke import command as revoke
from assaymark.errors import AssayError, EngineMissing, UsageError

pytestmark = pytest.mark.enable_socket
DIGEST = "sha256:" + "a" * 64


class Strange(http.server.BaseHTTPRequestHandler):
    """Answers as the token says."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        mode = self.headers["Authorization"].split()[-1]
        self.close_connection = True
        if mode == "junk":
            self.wfile.write(b"\x00\x01\r\n\r\n")
            return
        if mode == "hang":
            time.sleep(10)
        status, body, length = {
            "wrong": (401, b'{"title": "who asks is \\u001b[31m not known"}', None),
            "proxy": (502, b"<html>", None),
            "moved": (302, b"", None),
            "portal": (200, b"<html>sign in</html>", None),
            "list": (200, b"[]", None),
            "cut": (200, b'{"state"', 4000),
        }.get(mode, (202, b'{"state": "queued"}', None))
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 - names of `http.server`

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with listening(Strange) as port:
        yield f"http://127.0.0.1:{port}"


KINDS = [
    ("wrong", UsageError, "who asks is ?[31m not known"), ("proxy", UsageError, "502"), ("moved", UsageError, "302"),
    ("portal", EngineMissing, "something else"), ("list", EngineMissing, "something else"), ("cut", EngineMissing, "cut short"),
    ("junk", EngineMissing, "does not answer"),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "kind", "what"), KINDS)
def test_an_answer_that_is_none_of_ours_is_an_error_with_the_next_step(url: str, mode: str, kind: type[AssayError], what: str) -> None:
    with pytest.raises(kind) as found:
        server_there.Server(url, mode).asked("POST", "/endorsements", {})
    assert what in found.value.what
    assert found.value.advice or mode == "wrong"
    assert "urlopen" not in found.value.diagnosis()


@pytest.mark.parametrize("mode", [mode for mode, _, _ in KINDS])
def test_no_command_says_that_something_was_done(url: str, mode: str) -> None:
    asked = (
        (endorse, (DIGEST, "--wait", "0")), (revoke, ("endorsement", DIGEST, "--reason", "x")), (approved, ("list", "left-pad")),
    )  # fmt: skip
    for command, words in asked:
        done = CliRunner().invoke(command, [*words, "--server", url], env={"ASSAYMARK_TOKEN": mode})
        assert isinstance(done.exception, AssayError), (words, done.output)


def test_a_server_that_is_not_there_is_named_with_the_reason() -> None:
    with pytest.raises(EngineMissing, match="does not answer") as found:
        server_there.Server("http://127.0.0.1:1", "x").asked("GET", "/endorsements")
    assert "127.0.0.1:1" in found.value.what
    assert found.value.why == "[Errno 111] Connection refused"


@pytest.mark.parametrize(("name", "what"), [("", "is a folder"), ("none", "cannot be read"), ("empty", "there is no token")])
def test_a_file_without_a_token_is_said_to_be_that(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UsageError, match=what) as found:
        server_there.server_at("http://127.0.0.1:1", tmp_path / name)
    assert found.value.advice
    assert "Errno" not in found.value.why


def test_whoever_stops_waiting_is_let_go(url: str, tmp_path: Path) -> None:
    source = str(Path(assaymark.__file__).parents[1])
    env = {**os.environ, "ASSAYMARK_TOKEN": "hang", "PYTHONPATH": source, "HOME": str(tmp_path)}
    program = [sys.executable, "-c", "from assaymark.cli.main import main; main()", "endorse", DIGEST, "--server", url]
    process = subprocess.Popen(program, env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in said) == (130, False), said
