"""Images: pulled by digest from a registry, judged against the one before, and attacks of registries. Over real HTTP, on loopback."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.listening import listening

from assaymark.errors import SubjectNotFound, SubjectUnreadable, UsageError
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.server import keyring, registry
from assaymark.server.outgoing import client
from assaymark.server.registry import Registry, image_name
from assaymark.store import connections

PASSWORD = "p" * 20
KIND = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            row = tarfile.TarInfo(name)
            row.size = len(content)
            tar.addfile(row, io.BytesIO(content))
    return out.getvalue()


class Hub:
    """What a registry holds."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.private = False
        self.elsewhere = ""
        self.seen: list[tuple[str, str]] = []

    def put(self, data: bytes) -> dict[str, Any]:
        self.content[sha(data)] = data
        return {"mediaType": "application/octet-stream", "digest": sha(data), "size": len(data)}

    def image(self, files: dict[str, bytes], tag: str = "") -> str:
        plain = layer(files)
        packed = gzip.compress(plain, mtime=0)
        config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [sha(plain)]}}).encode()
        rows = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
        manifest = {"schemaVersion": 2, "mediaType": KIND, "config": self.put(config), "layers": [self.put(packed) | rows]}
        digest: str = self.put(json.dumps(manifest).encode())["digest"]
        if tag:
            self.tags[tag] = digest
        return digest


class Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        hub, given = self.hub, self.headers.get("Authorization", "")
        hub.seen.append((self.path, given))
        port = str(self.headers["Host"]).rpartition(":")[2]
        if self.path.startswith("/token"):
            expected = "Basic " + base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
            self._send(200 if given == expected else 401, b'{"token": "of-the-day"}')
        elif hub.private and given != "Bearer of-the-day":
            realm = hub.elsewhere or f"http://127.0.0.1:{port}/token"
            self._send(401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",service="registry"'})
        elif "/manifests/" in self.path:
            name = self.path.rpartition("/")[2]
            self._send_content(hub.tags.get(name, name))
        else:
            self._send_content(self.path.rpartition("/")[2])

    def _send_content(self, digest: str) -> None:
        data = self.hub.content.get(digest)
        self._send(200 if data is not None else 404, data or b"")

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Any]:
    made: Any = Hub()
    Handler.hub = made
    with listening(Handler) as port:
        made.host = f"127.0.0.1:{port}"
        yield made


@pytest.fixture
def yard(make_service: Any, origin: Any, hub: Any, shop: Any) -> Any:
    """A server that may go to loopback, with a connection to the registry."""
    shop.service.database.close()
    shop.service = make_service(private_networks="127.0.0.0/8")
    shop.hub = hub
    with shop.service.database.write() as link:
        number = connections.create(link, {"kind": "registry", "name": "hub", "web_url": f"http://{hub.host}", "created_at": 0})
        keyring.seal_token(shop.service, link, number, f"robot:{PASSWORD}")
    yield shop
    shop.service.database.close()


def pushed(yard: Any, digest: str, tag: str = "1", before: str = "") -> Any:
    trigger = Trigger(
        TriggerKind.IMAGE, None, SubjectKind.IMAGE, ref=f"{yard.hub.host}/group/shop@{digest}" if digest else f"{yard.hub.host}/group/shop",
        before=before, after=digest, details={"tag": tag},
    )  # fmt: skip
    return yard.accept(trigger)


@pytest.mark.enable_socket
def test_an_image_is_judged_against_the_one_before_it(yard: Any) -> None:
    yard.hub.private = True
    first = yard.hub.image({"app/a.py": yard.fine})
    number = pushed(yard, first)
    row = yard.assess(number)
    assert (row.state, row.base, row.head) == ("pass", "", first)
    second = yard.hub.image({"app/a.py": yard.fine, "app/b.py": yard.bad})
    number = pushed(yard, second)
    row = yard.assess(number)
    assert (row.base, row.head) == (first, second)
    assert any(judged.finding.place.path == "app/b.py" for judged in yard.verdict(number).findings), row.summary
    yard.take_stock(number)
    assert {path for _, path in yard.open_rows(number)} >= {"app/b.py"}
    assert yard.subject(number).head == second


@pytest.mark.enable_socket
def test_a_tag_without_a_digest_is_resolved_once(yard: Any) -> None:
    digest = yard.hub.image({"app/a.py": yard.fine}, tag="latest")
    row = yard.assess(pushed(yard, "", tag="latest"))
    assert (row.state, row.head) == ("pass", digest)


@pytest.mark.enable_socket
def test_of_several_platforms_the_one_for_linux_is_judged(yard: Any) -> None:
    one = yard.hub.image({"app/a.py": yard.fine})
    rows = [
        {"mediaType": KIND, "digest": sha(b"other"), "size": 5, "platform": {"os": "windows", "architecture": "amd64"}},
        {"mediaType": KIND, "digest": one, "size": 5, "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    index = yard.hub.put(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}).encode())["digest"]
    assert yard.assess(pushed(yard, index)).head == index


@pytest.mark.enable_socket
def test_an_image_that_is_gone_ends_at_once(yard: Any) -> None:
    row = yard.assess(pushed(yard, sha(b"nothing")))
    assert row.state == "unproven"
    assert "is not there" in row.summary


@pytest.mark.enable_socket
def test_the_credential_is_for_the_registrys_own_token_service_and_its_own_team(yard: Any) -> None:
    yard.hub.private, yard.hub.elsewhere = True, f"http://localhost:{yard.hub.host.rpartition(':')[2]}/token"
    with pytest.raises(SubjectUnreadable, match="cannot be fetched"):
        yard.assess(pushed(yard, yard.hub.image({"a.py": yard.fine})))
    assert not any(given for path, given in yard.hub.seen if path.startswith("/token"))


def opened(hub: Any, service: Any) -> Registry:
    return Registry(client(service.settings), image_name(f"{hub.host}/group/shop", plain=True))


@pytest.mark.enable_socket
def test_other_bytes_than_those_that_were_asked_are_refused(yard: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = yard.hub
    digest = hub.image({"a.py": yard.fine})
    manifest = json.loads(hub.content[digest])
    blob = manifest["layers"][0]["digest"]
    true = hub.content[blob]
    hub.content[blob] = true + b"x"
    with pytest.raises(SubjectUnreadable, match="another content"):
        opened(hub, yard.service).pull(digest, tmp_path / "image")
    hub.content[blob] = true
    hub.content[digest] += b" "
    with pytest.raises(SubjectUnreadable, match="another manifest"):
        opened(hub, yard.service).pull(digest, tmp_path / "image")
    assert not list(tmp_path.glob("image*")), "nothing half is left"
    monkeypatch.setattr(registry, "MOST_BYTES", 100)
    hub.content[digest] = hub.content[digest][:-1]
    with pytest.raises(SubjectUnreadable, match="larger"):
        opened(hub, yard.service).pull(digest, tmp_path / "image")


HOSTILE = {
    "blob that climbs": {"config": {"digest": "sha256:../../../etc/passwd"}, "layers": []},
    "blob of another kind": {"config": {"digest": "sha512:" + "0" * 128}, "layers": []},
    "index without end": {"manifests": [{"digest": "self", "platform": {"os": "linux", "architecture": "amd64"}}]},
    "no object": {"config": 1, "layers": 2},
    "only attestations": {"manifests": [{"digest": "sha256:" + "0" * 64, "platform": {"os": "unknown"}}]},
}


@pytest.mark.enable_socket
@pytest.mark.parametrize("manifest", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_manifests_are_refused(yard: Any, tmp_path: Path, manifest: dict[str, Any]) -> None:
    data = json.dumps(manifest).encode()
    yard.hub.put(data)
    with pytest.raises((SubjectUnreadable, SubjectNotFound)):
        opened(yard.hub, yard.service).pull(sha(data), tmp_path / "image")
    assert not list(tmp_path.glob("image*"))


@pytest.mark.parametrize(
    ("text", "host", "name"),
    [
        ("nginx", "registry-1.docker.io", "library/nginx"),
        ("group/shop:1.2", "registry-1.docker.io", "group/shop"),
        ("docker.io/library/nginx", "registry-1.docker.io", "library/nginx"),
        ("ghcr.io/group/shop", "ghcr.io", "group/shop"),
        ("localhost:5000/a/b:tag", "localhost:5000", "a/b"),
    ],
)
def test_references_are_taken_apart(text: str, host: str, name: str) -> None:
    found = image_name(text)
    assert (found.host, found.name) == (host, name)


@pytest.mark.parametrize("text", ["", "../x", "ghcr.io/../x", "ghcr.io/A/b", "ghcr.io/a/b:..%2f", "ghcr.io/a?x=y", "ghcr.io/a#b", "a@b/c"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        image_name(text)
