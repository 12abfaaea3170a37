"""What git is told of a remote: which token goes where, and that it goes nowhere else. Over real HTTP, on loopback."""

from __future__ import annotations

import base64
import http.server
import ipaddress
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.listening import listening

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.model.assessment import Instant, RepositoryId
from assaymark.server import keyring, outgoing
from assaymark.server.work.remotes import remote_of
from assaymark.store import connections
from assaymark.store.repositories import RepositoryRow
from assaymark.subjects.mirror import Mirror, Unreachable, Want
from assaymark.subjects.remote import Remote

TOKEN = "glpat-" + "y" * 20
KEY = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nAAAA\n-----END OPENSSH " + "PRIVATE KEY-----\n"


@pytest.fixture(autouse=True)
def public_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name is somewhere public; nobody is asked."""
    monkeypatch.setattr(outgoing, "resolve", lambda _host, _port: [ipaddress.ip_address("140.82.121.3")])


def row(connection: int | None, url: str) -> RepositoryRow:
    return RepositoryRow(RepositoryId(1), connection, "group/x", url, "", "", "main", None, Instant(0), None, None)


def connected(shop: Any, kind: str, secret: str = TOKEN, **more: Any) -> int:
    with shop.service.database.write() as link:
        values = {"kind": kind, "name": f"{kind}{len(more)}{secret[:3]}{more.get('web_url', '')}", "created_at": 0, **more}
        number = connections.create(link, values)
        keyring.seal_token(shop.service, link, number, secret)
    return number


def basic(user: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{TOKEN}".encode()).decode()


def test_a_token_goes_to_the_origin_of_its_connection_and_nowhere_else(shop: Any) -> None:
    number = connected(shop, "gitlab", web_url="https://git.example.org", api_url="https://git.example.org/api/v4")
    assert remote_of(shop.service, row(number, "https://git.example.org/group/x.git")).header == basic("oauth2")
    for elsewhere in (
        "https://evil.example/group/x.git",
        "http://git.example.org/group/x.git",
        "https://git.example.org:8443/group/x.git",
        "https://git.example.org.evil.example/x.git",
        "https://sub.git.example.org/x.git",
    ):
        assert remote_of(shop.service, row(number, elsewhere)).header == ""
    assert remote_of(shop.service, row(None, "https://git.example.org/group/x.git")).header == ""


def test_each_kind_of_forge_gets_its_user(shop: Any) -> None:
    github = connected(shop, "github")
    assert remote_of(shop.service, row(github, "https://github.com/group/x.git")).header == basic("x-access-token")
    assert remote_of(shop.service, row(github, "https://github.example/group/x.git")).header == ""
    plain = connected(shop, "git", web_url="https://code.example", options='{"username": "deploy"}')
    assert remote_of(shop.service, row(plain, "https://code.example/x.git")).header == basic("deploy")
    assert remote_of(shop.service, row(connected(shop, "git"), "https://code.example/x.git")).header == ""


def test_a_connection_that_ended_gives_nothing_away(shop: Any) -> None:
    number = connected(shop, "github")
    with shop.service.database.write() as link:
        connections.change(link, number, {"ended_at": 1})
    assert remote_of(shop.service, row(number, "https://github.com/group/x.git")).header == ""


def test_ssh_gets_a_key_and_never_a_token(shop: Any) -> None:
    number = connected(shop, "git", KEY, options='{"known_hosts": "h ssh-ed25519 AAAA"}')
    remote = remote_of(shop.service, row(number, "ssh://git@git.example.org/x.git"))
    assert (remote.key, remote.known_hosts, remote.header) == (KEY.encode(), "h ssh-ed25519 AAAA", "")
    assert "PRIVATE" not in repr(remote)
    token = connected(shop, "git", web_url="https://git.example.org")
    assert remote_of(shop.service, row(token, "ssh://git@git.example.org/x.git")).key == b""


def test_addresses_are_refused_before_anything_is_opened(shop: Any) -> None:
    for url in ("http://127.0.0.1:9/x", "ssh://git@10.0.0.1/x", "file:///etc", "https://[::ffff:10.0.0.1]/x"):
        with pytest.raises(UsageError):
            remote_of(shop.service, row(None, url))


# --- git over HTTP -------------------------------------------------------------------------------------------------------


class Backend(http.server.BaseHTTPRequestHandler):
    root = ""
    seen: list[tuple[str, str]]

    def do_GET(self) -> None:
        type(self).seen.append((self.path, self.headers.get("Authorization", "")))
        if self.path.startswith("/away/"):
            self.send_response(302)
            self.send_header("Location", f"http://{self.headers['Host']}/x.git{self.path.removeprefix('/away')}")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        size = int(self.headers.get("Content-Length", "0"))
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": self.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path}
        env |= {"QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", "")}
        env |= {"GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_NOSYSTEM": "1", "HOME": self.root}
        done = subprocess.run(["git", "http-backend"], input=self.rfile.read(size), env=env, capture_output=True, check=False)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        self.send_response(404 if b"Status: 404" in head else 200)
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name and name != "Status":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that the library calls

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def forge(origin: Any, tmp_path: Path) -> Iterator[int]:
    origin.commit(a=b"1\n")
    (tmp_path / "git" / "x.git").symlink_to(origin.path / ".git")
    Backend.root, Backend.seen = str(tmp_path / "git"), []
    with listening(Backend) as port:
        yield port


def at(port: int, path: str, **more: Any) -> Remote:
    """A name that no name server knows, at an address that was checked."""
    return Remote(url=f"http://forge.test:{port}{path}", scheme="http", host="forge.test", port=port, addresses=("127.0.0.1",), **more)


@pytest.mark.enable_socket
def test_git_connects_to_the_address_that_was_checked_and_shows_the_token(forge: int, origin: Any, tmp_path: Path) -> None:
    head = origin.git("rev-parse", "HEAD")
    mirror = Mirror(tmp_path / "m" / "1.git")
    assert mirror.fetch(at(forge, "/x.git", header=basic("oauth2")), [Want(head, "refs/heads/main")]) == (head,)
    assert {given for _, given in Backend.seen} == {basic("oauth2").removeprefix("Authorization: ")}
    for path in mirror.folder.rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes()


@pytest.mark.enable_socket
def test_git_follows_no_redirect(forge: int, tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "m" / "1.git")
    with pytest.raises(SubjectUnreadable):
        mirror.fetch(at(forge, "/away", header=basic("oauth2")), [Want(ref="refs/heads/main")])
    assert {path.partition("/info")[0] for path, _ in Backend.seen} == {"/away"}


@pytest.mark.enable_socket
def test_what_a_forge_does_not_have_is_unreachable_and_the_token_is_not_told(forge: int, tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "m" / "1.git")
    with pytest.raises(Unreachable) as caught:
        mirror.fetch(at(forge, "/none.git", header=basic("oauth2")), [Want(ref="refs/heads/main")])
    assert TOKEN not in caught.value.diagnosis()
    assert base64.b64encode(f"oauth2:{TOKEN}".encode()).decode() not in caught.value.diagnosis()


@pytest.mark.enable_socket
def test_a_dead_address_is_unreachable(tmp_path: Path) -> None:
    remote = msgspec.structs.replace(at(9, "/x.git"))
    with pytest.raises(Unreachable):
        Mirror(tmp_path / "m" / "1.git").fetch(remote, [Want(ref="refs/heads/main")])
