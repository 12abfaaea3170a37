"""From a forge's delivery to the answer at the merge request, through everything that is between: a stage for tests and benchmarks.

A stand-in for GitHub listens on loopback: it serves the repository over HTTP (git's own `http-backend`) to whoever shows the connection's
token, and writes down what is said to its API. The server is `assay serve` in a process of its own, with one worker, as anybody starts it;
deliveries are signed and sent to its port. Measured is the wall time from sending a delivery to the arrival of status and comment.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import generate, measure

from assaymark.server import keyring
from assaymark.server.service import open_service
from assaymark.server.settings import load
from assaymark.store import connections
from assaymark.store.migrations.apply import migrate

TOKEN = "ghp_" + "a1B2" * 9
HOOK_SECRET = "not a secret of anybody's, " * 2
CHANGED = 3
_ENDS = frozenset({"job done", "job was done elsewhere", "job failed", "job cancelled", "job given back"})

Said = tuple[float, str, str, dict[str, str], bytes]
"""When, method, path with query, headers, body."""


class Forge(http.server.ThreadingHTTPServer):
    """GitHub, as far as it is needed."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.said: list[Said] = []
        self.refused = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def wait(self, since: float, word: str, seconds: float = 60.0) -> tuple[float, dict[str, Any]]:
        """How long after an instant something was said whose path ends with the word, and what."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            for at, method, path, _, body in list(self.said):
                if at >= since and method != "GET" and path.endswith(word):
                    return at - since, json.loads(body)
            time.sleep(0.002)
        raise AssertionError(f"nothing was said about {word}: {[each[1:3] for each in self.said[-3:]]}")

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Forge
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        at, body = time.monotonic(), self._body()
        given = self.headers.get("Authorization", "")
        if self.path.startswith("/api/"):
            if given != f"Bearer {TOKEN}":
                self._send(401, b"{}")
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.server.said.append((at, self.command, self.path.removeprefix("/api"), headers, body))
            self._send(201 if self.command == "POST" else 200, b"[]" if self.command == "GET" else b'{"id": 77}')
        elif given != "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode():
            self.server.refused += 1
            self._send(401, b"", [("WWW-Authenticate", 'Basic realm="git"')])
        else:
            self._git(body)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - the names that the library calls

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", "0") or 0))

    def _git(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.server.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_ADDR": "127.0.0.1",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self.server.root),
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        lines = [line.partition(": ")[::2] for line in head.decode().split("\r\n") if line]
        status = next((int(value.split()[0]) for name, value in lines if name == "Status"), 200)
        self._send(status, rest, [(name, value) for name, value in lines if name != "Status"])

    def _send(self, status: int, body: bytes, headers: Any = ()) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


class Stage:
    """The server, the forge, and a repository in it; `database` is a URL, SQLite in the folder without it."""

    def __init__(self, home: Path, files: int, database: str = "") -> None:
        self.home, self.number = home, 0
        self.forge = Forge(home / "git")
        self.env = measure.environment(home)
        self.work, self.bare = home / "work", home / "git" / "group" / "shop.git"
        generate.repository(self.work, generate.tree(files), self.env)
        subprocess.run(["git", "clone", "-q", "--bare", str(self.work), str(self.bare)], env=self.env, check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{probe.getsockname()[1]}"
        self.url = f"http://{listen}"
        settings = {"data": str(home / "data"), "database": database, "listen": listen, "private_networks": "127.0.0.0/8", "workers": "1"}
        self.connection = self._connect(settings)
        env = self.env | {f"ASSAYMARK_{name.upper()}": value for name, value in settings.items() if value}
        self.log = home / "log"
        with self.log.open("wb") as log:
            words = [sys.executable, "-c", "from assaymark.cli.main import main; main()", "serve"]
            self.process = subprocess.Popen(words, env=env, stdout=log, stderr=log)
        self._until(self._listens, 60)

    def _connect(self, settings: dict[str, str]) -> int:
        service = open_service(load({"HOME": str(self.home)}, **settings))
        migrate(service.database)
        with service.database.write() as link:
            row = {"kind": "github", "name": "forge", "web_url": self.forge.url, "api_url": f"{self.forge.url}/api", "created_at": 0}
            number = connections.create(link, row)
            keyring.seal_token(service, link, number, TOKEN)
            keyring.renew_secret(service, link, number, HOOK_SECRET)
        service.database.close()
        return int(number)

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.forge.close()

    def git(self, *words: str) -> str:
        return subprocess.run(["git", *words], cwd=self.work, env=self.env, check=True, capture_output=True, text=True).stdout.strip()

    def warm_up(self) -> float:
        """The first push, which judges the whole, and everything that follows it; gives the seconds to its status."""
        main = self.git("rev-parse", "main")
        since = self.deliver("push", ref="refs/heads/main", before="0" * 40, after=main)
        seconds, _ = self.forge.wait(since, f"/statuses/{main}", 600)
        self.settle()
        return seconds

    def settle(self) -> None:
        """Until the worker has nothing left to do."""
        quiet = 0

        def is_idle() -> bool:
            nonlocal quiet
            quiet = quiet + 1 if self._running() == 0 else 0
            return quiet >= 15

        self._until(is_idle, 600)

    def round(self) -> tuple[float, float]:
        """A merge request of three changed files, one of them for the worse: seconds to its status and to its comment."""
        main, head = self.git("rev-parse", "main"), self._change()
        pull = {
            "number": self.number, "title": "A change", "html_url": f"{self.forge.url}/group/shop/pull/{self.number}",
            "head": {"sha": head, "ref": "feature", "repo": None}, "base": {"sha": main, "ref": "main"},
        }  # fmt: skip
        since = self.deliver("pull_request", action="opened", number=self.number, pull_request=pull)
        status, body = self.forge.wait(since, f"/statuses/{head}")
        assert body["state"] == "failure", body
        comment, body = self.forge.wait(since, f"/issues/{self.number}/comments")
        assert "shell" in body["body"].lower(), body
        return status, comment

    def deliver(self, event: str, *, secret: str = HOOK_SECRET, expect: int = 202, **payload: Any) -> float:
        """A signed delivery over HTTP; gives when it was sent."""
        repository = {
            "id": 9, "full_name": "group/shop", "clone_url": f"{self.forge.url}/group/shop.git", "html_url": self.forge.url,
            "default_branch": "main",
        }  # fmt: skip
        body = json.dumps({"repository": repository, "sender": {"login": "ada", "type": "User"}, **payload}).encode()
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": os.urandom(8).hex(), "X-Hub-Signature-256": signature}
        link = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        since = time.monotonic()
        link.request("POST", f"/hooks/github/{self.connection}", body, {**headers, "Content-Type": "application/json"})
        answer = link.getresponse()
        said = answer.read()
        link.close()
        assert answer.status == expect, said
        return since

    def _change(self) -> str:
        """A branch with three files changed, at the forge under a merge request's ref."""
        self.number += 1
        self.git("checkout", "-q", "-B", "feature", "main")
        generate.stage_change(self.work, self.number, "webhook", self.env, CHANGED)
        path = self.work / self.git("diff", "--cached", "--name-only").splitlines()[0]
        bad = f"\n\nimport subprocess\n\n\ndef run_{self.number}(name):\n    subprocess.run('ls ' + name, shell=True)\n"
        path.write_text(path.read_text("utf-8") + bad, "utf-8")
        self.git("commit", "-q", "-a", "-m", "change")
        self.git("push", "-q", "-f", str(self.bare), f"HEAD:refs/pull/{self.number}/head")
        assert len(self.git("diff", "--name-only", "main", "HEAD").splitlines()) == CHANGED
        return self.git("rev-parse", "HEAD")

    def _running(self) -> int:
        """Jobs that were begun and have not ended, by the server's log."""
        events = [json.loads(line) for line in self.log.read_text("utf-8").splitlines() if line.startswith("{")]
        named = [each.get("event") for each in events if "job" in each]
        return named.count("job begun") - sum(name in _ENDS for name in named)

    def _listens(self) -> bool:
        place = urlsplit(self.url)
        with socket.socket() as probe:
            return probe.connect_ex((place.hostname, place.port)) == 0

    def _until(self, holds: Callable[[], bool], seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not holds():
            assert self.process.poll() is None and time.monotonic() < ends, self.log.read_text("utf-8")[-2000:]  # noqa: PT018 - one answer
            time.sleep(0.2)
