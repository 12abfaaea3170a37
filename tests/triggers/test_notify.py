from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from assaymark.errors import UsageError
from assaymark.triggers import notify
from assaymark.triggers.git_hooks import Client, Hook, install, script, uninstall

TOKEN = secrets.token_hex(12)
A, B = "a" * 40, "b" * 40
LINES = f"{A} {B} refs/heads/main\n{A} {'0' * 40} refs/heads/old\n{A} {B} refs/notes/x\n".encode()


class Server:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status, self.wait, self.body = 202, 0.0, b'{"assessments":[1]}'
        self.asked: list[tuple[str, str, str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                time.sleep(outer.wait)
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.asked.append((self.path, self.headers["authorization"], self.headers["idempotency-key"], body))
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def server(socket_enabled: None) -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


def push(folder: Path, url: str, token_file: Path, lines: bytes = LINES) -> tuple[int, str, float]:
    """As git runs the hook: exit code, what who pushed is told, seconds that he waits."""
    words = ["--server", url, "--repository", "https://git.example/shop.git", "--token-file", str(token_file)]
    began = time.monotonic()
    env = {**os.environ, "GIT_DIR": str(folder), "REMOTE_USER": "ann"}
    code = "import sys; from assaymark.triggers.notify import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, *words], input=lines, capture_output=True, env=env, check=False, timeout=60)
    return done.returncode, done.stderr.decode(), time.monotonic() - began


def test_the_server_is_told_which_refs_moved(server: Server, token_file: Path, tmp_path: Path) -> None:
    code, said, _ = push(tmp_path, server.url, token_file)
    assert (code, said) == (0, "")
    [(path, authorization, key, body)] = server.asked
    assert (path, authorization) == ("/api/v1/triggers", f"Bearer {TOKEN}")
    assert key
    assert body == {
        "repository": "https://git.example/shop.git",
        "changes": [
            {"ref": "refs/heads/main", "before": A, "after": B},
            {"ref": "refs/heads/old", "before": A, "after": "0" * 40},
        ],
        "actor": "ann",
    }
    assert list((tmp_path / "assaymark").glob("*.json")) == []


def test_an_absent_server_is_said_and_told_with_the_next_push(server: Server, token_file: Path, tmp_path: Path) -> None:
    code, said, _ = push(tmp_path, "http://127.0.0.1:1", token_file)
    assert code == 0
    assert "was not told of this push" in said
    assert "trying again in the background" in said
    assert TOKEN not in said
    assert len(list((tmp_path / "assaymark").glob("*.json"))) == 1
    push(tmp_path, server.url, token_file)
    assert len(server.asked) == 2
    assert len({key for _, _, key, _ in server.asked}) == 2


def test_a_server_that_does_not_answer_holds_nobody_up(server: Server, token_file: Path, tmp_path: Path) -> None:
    server.wait = 6.0
    code, said, seconds = push(tmp_path, server.url, token_file)
    assert code == 0
    assert "in the background" in said
    assert seconds < notify.PATIENCE + 3
    until = time.monotonic() + 20
    while list((tmp_path / "assaymark").glob("*.json")) and time.monotonic() < until:
        time.sleep(0.1)
    assert list((tmp_path / "assaymark").glob("*.json")) == []


@pytest.mark.parametrize(("status", "kept"), [(401, 1), (404, 1), (400, 0), (413, 0)])
def test_what_somebody_has_to_mend_is_said_with_the_servers_words(
    server: Server, token_file: Path, tmp_path: Path, status: int, kept: int
) -> None:
    server.status, server.body = status, json.dumps({"title": "no \x1b[31m such", "detail": "thing", "advice": "do this"}).encode()
    code, said, _ = push(tmp_path, server.url, token_file)
    assert code == 0
    assert f"it answered {status}: no  [31m such thing do this; tell the administrator" in said
    assert len(list((tmp_path / "assaymark").glob("*.json"))) == kept


def test_a_redirect_is_not_followed_with_the_token(server: Server, token_file: Path, tmp_path: Path) -> None:
    server.status = 302
    assert "it answered 302" in push(tmp_path, server.url, token_file)[1]
    assert len(server.asked) == 1


def test_a_push_of_nothing_that_is_judged_asks_nobody(server: Server, token_file: Path, tmp_path: Path) -> None:
    assert push(tmp_path, server.url, token_file, f"{A} {B} refs/notes/x\n".encode())[:2] == (0, "")
    assert push(tmp_path, server.url, token_file, b"")[:2] == (0, "")
    assert server.asked == []


def test_many_refs_are_told_in_several_calls() -> None:
    lines = b"".join(f"{A} {B} refs/heads/{number}\n".encode() for number in range(2500))
    assert [len(each["changes"]) for each in notify.told(lines, "1")] == [1000, 1000, 500]  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_token_that_others_can_read_is_not_used(token_file: Path, mode: int) -> None:
    token_file.chmod(mode)
    with pytest.raises(notify.Trouble, match="chmod 600"):
        notify.token_of(token_file)


def test_a_token_is_not_read_through_a_link(token_file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(token_file)
    with pytest.raises(notify.Trouble):
        notify.token_of(tmp_path / "link")


@pytest.mark.parametrize("text", ["", "a b", "\u00e4"])
def test_what_is_no_token_is_not_sent(token_file: Path, text: str) -> None:
    token_file.write_text(text)
    with pytest.raises(notify.Trouble, match="no token"):
        notify.token_of(token_file)


@pytest.mark.parametrize(
    "url", ["http://assay.example", "ftp://assay.example", "assay.example", "https://a:b@assay.example", "https://assay.example?x"]
)
def test_a_token_goes_to_a_server_by_https_only(url: str) -> None:
    with pytest.raises(notify.Trouble):
        notify.need_safe(url)
    notify.need_safe("https://assay.example/base")
    notify.need_safe("http://127.0.0.1:8750")


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "_MOST_KEPT", 5)
    for number in range(9):
        notify.keep(tmp_path / "assaymark", {"number": number})
    kept = [json.loads(path.read_text())["number"] for path in sorted((tmp_path / "assaymark").glob("*.json"))]
    assert kept == [4, 5, 6, 7, 8]


def test_trying_again_ends_when_it_is_taken(server: Server, token_file: Path, tmp_path: Path) -> None:
    notify.keep(tmp_path, {"repository": 1})
    server.status = 503
    assert notify.try_again(tmp_path, server.url, token_file, (0,)) is False
    server.status = 202
    assert notify.try_again(tmp_path, server.url, token_file, (0, 0)) is True
    assert len(server.asked) == 2


def _client() -> Client:
    return Client(
        python=sys.executable, program="import sys; sys.exit(3)", ask="", told=("--server", "https://a b", "--token-file", "/x'y")
    )


def test_the_hook_never_fails_a_push_and_keeps_the_one_before(tmp_path: Path) -> None:
    before = tmp_path / "post-receive"
    before.write_text("#!/bin/sh\ncat > before-saw\n")
    before.chmod(0o755)
    install(tmp_path, Hook.POST_RECEIVE, _client())
    done = subprocess.run([str(tmp_path / "post-receive")], input=LINES, cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == 0
    assert (tmp_path / "before-saw").read_bytes() == LINES
    assert "taken out" in uninstall(tmp_path, Hook.POST_RECEIVE)


def test_the_hooks_words_are_quoted() -> None:
    assert """--server 'https://a b' --token-file '/x'"'"'y'""" in script(Hook.POST_RECEIVE, _client())


def test_a_real_push_to_a_bare_repository_is_told(
    server: Server, token_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assaymark.cli.hooks import _told, install_all  # noqa: PLC0415
    from assaymark.subjects.repository import discover  # noqa: PLC0415

    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(tmp_path)}

    def git(*words: str, at: Path) -> subprocess.CompletedProcess[str]:
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
        return subprocess.run(["git", *who, *words], cwd=at, env=env, check=True, capture_output=True, text=True)

    bare, work = tmp_path / "shop.git", tmp_path / "work"
    git("init", "-q", "--bare", str(bare), at=tmp_path)
    git("init", "-q", "-b", "main", str(work), at=tmp_path)
    monkeypatch.chdir(bare)
    repository = discover(str(bare))
    assert install_all(repository, (Hook.POST_RECEIVE,), _told(server.url, "1", str(token_file))) == [
        f"post-receive installed in {bare}/hooks"
    ]
    git("commit", "-q", "--allow-empty", "-m", "x", at=work)
    head = git("rev-parse", "HEAD", at=work).stdout.strip()
    git("push", "-q", str(bare), "main", at=work)
    assert server.asked[0][3]["changes"] == [{"ref": "refs/heads/main", "before": "0" * 40, "after": head}]


def test_installing_asks_for_what_it_needs(token_file: Path) -> None:
    from assaymark.cli.hooks import _told  # noqa: PLC0415

    with pytest.raises(UsageError, match="needs --server"):
        _told("", "1", str(token_file))
    with pytest.raises(UsageError, match="https"):
        _told("http://assay.example", "1", str(token_file))
    token_file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        _told("https://assay.example", "1", str(token_file))
