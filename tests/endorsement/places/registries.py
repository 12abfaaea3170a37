"""A registry in memory behind the door to HTTP, by OCI distribution-spec 1.1, with or without the referrers API; and images."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from assaymark.endorsement.places.door import Ask, Said

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
HOST = "registry.example"
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|referrers|tags)/(?P<rest>.+)\Z")


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class MemoryRegistry:
    """One registry. `before` is called with each request before it is answered: where others do something in between."""

    def __init__(
        self, *, referrers: bool = True, page: int = 2, conditions: bool = False, credential: str = "", bearer: bool = True
    ) -> None:
        self.has_referrers, self.page, self.has_conditions = referrers, page, conditions
        self.credential, self.bearer = credential, bearer
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.tags: dict[str, str] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[Ask] = []
        self.scopes: list[str] = []
        self.before: Callable[[Ask], None] = lambda _: None

    # --- what tests put and look at ------------------------------------------------------------------------------------

    def keep(self, data: bytes, kind: str = MANIFEST, tag: str = "") -> str:
        digest = digest_of(data)
        self.manifests[digest] = (data, kind)
        if tag:
            self.tags[tag] = digest
        return digest

    def tagged(self, tag: str) -> Any:
        return msgspec.json.decode(self.manifests[self.tags[tag]][0])

    # --- the door --------------------------------------------------------------------------------------------------------

    def send(self, ask: Ask) -> Said:
        self.asked.append(ask)
        self.before(ask)
        parts = urlsplit(ask.url)
        assert parts.netloc in {HOST, "auth.registry.example"}, ask.url
        if parts.path == "/token":
            return self._token(ask, parse_qs(parts.query))
        refusal = self._refusal(ask)
        if refusal is not None:
            return refusal
        found = _PATH.match(parts.path)
        assert found, ask.url
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        answer: Callable[[Ask, str, dict[str, str]], Said] = getattr(self, f"_{found['kind']}")
        said = answer(ask, found["rest"], query)
        return Said(said.status, said.headers, b"") if ask.method == "HEAD" else said

    def _refusal(self, ask: Ask) -> Said | None:
        if not self.credential:
            return None
        basic = "Basic " + base64.b64encode(self.credential.encode()).decode()
        if ask.headers.get("Authorization") == ("Bearer the-token" if self.bearer else basic):
            return None
        realm = 'Bearer realm="https://auth.registry.example/token",service="registry"' if self.bearer else 'Basic realm="registry"'
        return Said(401, {"www-authenticate": realm})

    def _token(self, ask: Ask, query: dict[str, list[str]]) -> Said:
        self.scopes += query["scope"]
        basic = "Basic " + base64.b64encode(self.credential.encode()).decode()
        return Said(200, {}, b'{"token": "the-token"}') if ask.headers.get("Authorization") == basic else Said(401, {})

    def _manifests(self, ask: Ask, rest: str, _: dict[str, str]) -> Said:
        held = self.tags.get(rest, rest if rest in self.manifests else "")
        if ask.method == "PUT":
            return self._put(ask, rest, held)
        if not held:
            return Said(404, {}, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
        data, kind = self.manifests[held]
        return Said(200, {"content-type": kind, "docker-content-digest": held}, data)

    def _put(self, ask: Ask, rest: str, held: str) -> Said:
        match, no_match = ask.headers.get("If-Match"), ask.headers.get("If-None-Match")
        if self.has_conditions and ((match and match != f'"{held}"') or (no_match == "*" and held)):
            return Said(412, {})
        said = msgspec.json.decode(ask.body)
        named = [each["digest"] for each in said.get("layers", [])] + ([said["config"]["digest"]] if "config" in said else [])
        if any(each not in self.blobs for each in named) or any(each["digest"] not in self.manifests for each in said.get("manifests", [])):
            return Said(400, {}, b'{"errors": [{"code": "MANIFEST_BLOB_UNKNOWN"}]}')
        digest = self.keep(ask.body, ask.headers["Content-Type"], "" if rest.startswith("sha256:") else rest)
        if rest.startswith("sha256:") and rest != digest:
            return Said(400, {}, b'{"errors": [{"code": "DIGEST_INVALID"}]}')
        subject = said.get("subject", {}).get("digest")
        return Said(201, {"oci-subject": subject} if subject and self.has_referrers else {})

    def _blobs(self, ask: Ask, rest: str, query: dict[str, str]) -> Said:
        if ask.method == "POST":
            return Said(202, {"location": f"/v2/{urlsplit(ask.url).path.split('/')[2]}/blobs/uploads/1?state=x"})
        if ask.method == "PUT":
            if digest_of(ask.body) != query["digest"]:
                return Said(400, {})
            self.blobs[query["digest"]] = ask.body
            return Said(201, {})
        return Said(200, {}, self.blobs[rest]) if rest in self.blobs else Said(404, {})

    def _referrers(self, ask: Ask, rest: str, query: dict[str, str]) -> Said:
        if not self.has_referrers:
            return Said(404, {}, b"404 page not found")
        rows = []
        for digest, (data, kind) in sorted(self.manifests.items()):
            said = msgspec.json.decode(data)
            if said.get("subject", {}).get("digest") == rest:
                row = {"mediaType": kind, "digest": digest, "size": len(data), "annotations": said.get("annotations", {})}
                rows.append({**row, "artifactType": said.get("artifactType") or said["config"]["mediaType"]})
        wanted = query.get("artifactType")
        rows = [row for row in rows if wanted in (None, row["artifactType"])]
        return self._paged(ask, query, {"schemaVersion": 2, "mediaType": INDEX}, "manifests", rows)

    def _tags(self, ask: Ask, rest: str, query: dict[str, str]) -> Said:
        assert rest == "list"
        names = [each for each in sorted(self.tags) if each > query.get("last", "")]
        return self._paged(ask, {}, {"name": "x"}, "tags", names)

    def _paged(self, ask: Ask, query: dict[str, str], head: dict[str, Any], name: str, rows: list[Any]) -> Said:
        start = int(query.get("page", "0"))
        last = rows[start : start + self.page]
        more = start + self.page < len(rows)
        parts = urlsplit(ask.url)
        if name == "tags":
            link = f'<{parts.path}?n={self.page}&last={last[-1] if last else ""}>; rel="next"'
        else:
            link = f'<{parts.path}?page={start + self.page}>; rel="next"'
        return Said(200, {"link": link} if more else {}, msgspec.json.encode({**head, name: last}))


# --- images ----------------------------------------------------------------------------------------------------------


class Image:
    """An index of two platforms, with what builders add."""

    def __init__(self, seed: str = "shop") -> None:
        self.blobs: dict[str, bytes] = {}
        self.platforms = {name: self._platform(f"{seed} {name}", name) for name in ("amd64", "arm64")}
        self.note = self._manifest({"mediaType": MANIFEST}, {"note": seed}, [b"attestation"])
        rows = [
            {"mediaType": MANIFEST, "digest": digest_of(data), "size": len(data), "platform": {"os": "linux", "architecture": name}}
            for name, (data, _) in self.platforms.items()
        ]
        note = {"mediaType": MANIFEST, "digest": digest_of(self.note[0]), "size": len(self.note[0])}
        unknown = {"os": "unknown", "architecture": "unknown"}
        rows.append({**note, "platform": unknown, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}})
        self.index = msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})

    @property
    def digest(self) -> str:
        return digest_of(self.index)

    def manifest(self, name: str) -> str:
        return digest_of(self.platforms[name][0])

    def config(self, name: str) -> str:
        return digest_of(self.platforms[name][1])

    def documents(self) -> list[tuple[bytes, str]]:
        """In the order in which a registry takes them."""
        return [*((data, MANIFEST) for data, _ in self.platforms.values()), (self.note[0], MANIFEST), (self.index, INDEX)]

    def into(self, registry: MemoryRegistry) -> Image:
        registry.blobs |= self.blobs
        for data, kind in self.documents():
            registry.keep(data, kind)
        registry.tags["1"] = self.digest
        return self

    def _platform(self, seed: str, name: str) -> tuple[bytes, bytes]:
        layer = f"layer of {seed}".encode()
        config = {"architecture": name, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}, "config": {}}
        return self._manifest({"mediaType": MANIFEST}, config, [layer])

    def _manifest(self, head: dict[str, Any], config: dict[str, Any], layers: list[bytes]) -> tuple[bytes, bytes]:
        written = msgspec.json.encode(config)
        self.blobs |= {digest_of(each): each for each in [written, *layers]}
        parts = [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(each), "size": len(each)} for each in layers]
        of_config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(written), "size": len(written)}
        return msgspec.json.encode({"schemaVersion": 2, **head, "config": of_config, "layers": parts}), written
