"""Images, end to end: pushed to a real registry, judged, endorsed by the server for `assay endorse`, verified by `assay verify`."""

from __future__ import annotations

import gzip
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.assess.conftest import Once
from tests.assess.test_images import INDEX, KIND, layer, sha
from tests.endorsement.places import debian_registry
from tests.endorsing.conftest import Endorsing
from tests.endorsing.test_endorse_command import Desk, desk, there  # noqa: F401 - fixtures
from tests.endorsing.test_renewing import moved, renewed

from assaymark.endorsement import bundle, dsse, statement
from assaymark.endorsement.approval import EXTENSION
from assaymark.endorsement.places.direct import send
from assaymark.endorsement.places.reference import Reference
from assaymark.endorsement.places.registry import Registry
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.server.settings import load
from assaymark.server.work import trusting
from assaymark.server.work.handlers import handler
from assaymark.store import connections

pytestmark = pytest.mark.enable_socket
NAME = "harbour/shop"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with debian_registry.running(tmp_path_factory.mktemp("registry")) as found:
        yield found


class Dock:
    """The registry, as whoever builds images sees it."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.registry = Registry(send, Reference(host, NAME, plain=True))

    def image(self, architecture: str, files: dict[str, bytes]) -> tuple[str, str]:
        """Its manifest's and its configuration's digest."""
        plain = layer(files)
        rows = {"type": "layers", "diff_ids": [sha(plain)]}
        config = json.dumps({"os": "linux", "architecture": architecture, "config": {"User": "7"}, "rootfs": rows}).encode()
        packed = gzip.compress(plain, mtime=0)
        for data in (config, packed):
            self.registry.put_blob(data)
        parts = [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": sha(packed), "size": len(packed)}]
        about = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha(config), "size": len(config)}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": KIND, "config": about, "layers": parts}).encode()
        self.registry.put_manifest(sha(manifest), manifest, KIND)
        return sha(manifest), sha(config)

    def index(self, *platforms: str, tag: str) -> tuple[str, dict[str, tuple[str, str]]]:
        made = {each: self.image(each, {"app/about.txt": f"for {each}".encode()}) for each in platforms}
        rows = [
            {"mediaType": KIND, "digest": digest, "size": 1, "platform": {"os": "linux", "architecture": each}}
            for each, (digest, _) in made.items()
        ]
        for row in rows:
            held = self.registry.manifest(str(row["digest"]))
            assert held is not None
            row["size"] = len(held.data)
        data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}).encode()
        self.registry.put_manifest(tag, data, INDEX)
        return sha(data), made


@pytest.fixture
def yard(lite: Endorsing, host: str) -> tuple[Endorsing, Dock]:
    """A server that may go to loopback and knows the registry."""
    allowed = load({}, private_networks="127.0.0.0/8").private_networks
    lite.service = msgspec.structs.replace(lite.service, settings=msgspec.structs.replace(lite.service.settings, private_networks=allowed))
    with lite.service.database.write() as link:
        connections.create(link, {"kind": "registry", "name": "dock", "web_url": f"http://{host}", "created_at": 0})
    return lite, Dock(host)


def judged(yard: tuple[Endorsing, Dock], digest: str) -> Any:
    shop, dock = yard
    ref = f"{dock.host}/{NAME}@{digest}"
    number = shop.accept(Trigger(TriggerKind.IMAGE, None, SubjectKind.IMAGE, ref=ref, after=digest, details={"tag": "1"}))
    assert shop.assess(number).state == "pass"
    return number


def said(shop: Endorsing, number: Any) -> statement.Statement:
    return statement.read(dsse.payload_of(bundle.read(shop.service.blobs.get(shop.endorsed_one(number).bundle))))


def test_an_index_of_two_platforms_is_endorsed_for_the_one_that_was_judged_and_says_so(
    yard: tuple[Endorsing, Dock],
    there: str,  # noqa: F811 - fixtures
    desk: Desk,  # noqa: F811
) -> None:
    shop, dock = yard
    index, platforms = dock.index("arm64", "amd64", tag="two")
    number = judged(yard, index)
    out = desk.folder / "shop.sigstore.json"
    worker = threading.Thread(target=_work, args=(shop,), daemon=True)
    worker.start()
    done = desk.run("endorse", index, "--server", there, "-o", str(out), ASSAYMARK_TOKEN="admin")
    worker.join(60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == shop.endorsed_one(number).digest
    named = {each.name.partition(NAME)[2]: f"sha256:{each.digest['sha256']}" for each in said(shop, number).subject}
    assert named == {":1": index, ":1 (linux/amd64)": platforms["amd64"][0], ":1#config": platforms["amd64"][1]}
    extension = said(shop, number).predicate[EXTENSION]
    assert (extension["platforms"], extension["platformsUnjudged"]) == (["linux/amd64"], ["linux/arm64"])
    _verified(shop, desk, out, index, platforms)
    asked = urllib.request.Request(f"{there}/endorsements/{done.stdout.strip()}", headers={"Authorization": "Bearer admin"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert "nothing is known of linux/arm64" in answer.read().decode()


def _work(shop: Endorsing) -> None:
    ends = time.monotonic() + 40
    while not shop.jobs("endorse") and time.monotonic() < ends:
        time.sleep(0.05)
    for job in shop.jobs("endorse"):
        handler(job.kind)(shop.service, job.arguments, Once())


def _verified(shop: Endorsing, desk: Desk, out: Path, index: str, platforms: dict[str, tuple[str, str]]) -> None:  # noqa: F811
    """As somebody who has the document of trust alone."""
    trust = desk.folder / "trust.json"
    with shop.service.database.read() as link:
        trust.write_bytes(msgspec.json.encode(trusting.trust_of(shop.service, link)))
    asked = ("--bundle", str(out), "--trust", str(trust))
    good = [index, *platforms["amd64"]]
    done = desk.run("verify", *good, *asked, "--level", "ORG_QUALITY_APPROVED")
    assert (done.returncode, done.stdout.count("\napproved") + 1) == (0, 4), done.stdout + done.stderr
    assert done.stdout.count("judged for linux/amd64 only; nothing is known of linux/arm64") == 1, "of the index alone"
    assert desk.run("verify", *good, *asked, "--platform", "linux/amd64").returncode == 0
    done = desk.run("verify", index, *asked, "--platform", "linux/arm64", "--format", "json")
    reasons = json.loads(done.stdout)["results"][0]["reasons"]
    assert (done.returncode, [each["reason"] for each in reasons]) == (1, ["platform-not-judged"])
    done = desk.run("verify", *platforms["arm64"], *asked, "--format", "json")
    answer = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert [each["reasons"][0]["reason"] for each in answer["results"]] == ["wrong-subject", "wrong-subject"]
    assert answer["results"][0]["endorsement"]["platformsUnjudged"] == ["linux/arm64"]


def test_an_image_of_one_platform_is_endorsed_by_manifest_and_configuration(yard: tuple[Endorsing, Dock]) -> None:
    shop, dock = yard
    manifest, config = dock.image("amd64", {"app/about.txt": b"alone"})
    found = said(shop, judged(yard, manifest))
    assert [f"sha256:{each.digest['sha256']}" for each in found.subject] == [manifest, config]
    assert "platforms" not in found.predicate[EXTENSION]


def test_an_index_of_the_judged_platform_alone_leaves_nothing_unsaid(yard: tuple[Endorsing, Dock]) -> None:
    shop, dock = yard
    index, platforms = dock.index("amd64", tag="one")
    found = said(shop, judged(yard, index))
    assert {f"sha256:{each.digest['sha256']}" for each in found.subject} == {index, *platforms["amd64"]}
    extension = found.predicate[EXTENSION]
    assert (extension["platforms"], "platformsUnjudged" in extension) == (["linux/amd64"], False)


def test_an_image_that_stands_still_is_judged_again_before_its_endorsement_ends(yard: tuple[Endorsing, Dock]) -> None:
    shop, dock = yard
    shop.set_terms(automatic=True, days=20)
    manifest, _ = dock.image("amd64", {"app/about.txt": b"still"})
    first = shop.endorsed_one(judged(yard, manifest))
    moved(shop, 16)
    [again] = renewed(shop)
    assert shop.assess(again).state == "pass"
    second = shop.endorsed_one(again)
    assert (second.resource, second.head) == (first.resource, manifest)
    assert second.expires_at > first.expires_at
