"""Issue 6: endorsements lie beside what they are about, in real registries and repositories, and a git host refuses what lacks one."""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.endorsement.approvals import KEY, NOW, claims, statement_of, trusting
from tests.endorsement.places import debian_registry
from tests.endorsement.places.registries import INDEX, Image, MemoryRegistry, digest_of
from tests.triggers.test_gate import Host
from tests.triggers.test_gate import endorsed as endorsed_commit

from assaymark.endorsement import bundle, dsse, revocation
from assaymark.endorsement.places import documents, dot_att, images, notes, oci
from assaymark.endorsement.places.access import PUSH
from assaymark.endorsement.places.direct import send
from assaymark.endorsement.places.reference import Reference
from assaymark.endorsement.places.registry import Registry
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.endorsement.verify import Expected, verify

NAME = "shop/web"
WRITERS, EACH = 6, 4


def endorsed(number: int, *subjects: Named) -> bytes:
    said = statement_of(claims(resource_uri=f"oci://registry.example/{number}"), subjects)
    return bundle.written(dsse.sign(PAYLOAD_TYPE, said, KEY))


def of(digest: str) -> Named:
    return Named(NAME, {"sha256": digest.removeprefix("sha256:")})


def opened(host: str) -> Registry:
    return Registry(send, Reference(host, NAME, plain=True), actions=PUSH)


def write(host: str, digest: str, first: int) -> None:
    """One process among several that attach to one image."""
    for number in range(first, first + EACH):
        oci.attach(opened(host), digest, endorsed(number, of(digest)))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with debian_registry.running(tmp_path_factory.mktemp("registry")) as found:
        yield found


def test_processes_that_attach_at_once_to_a_real_registry_lose_nothing_of_each_other(host: str) -> None:
    image = Image("processes")
    debian_registry.pushed(host, image)
    tag = documents.fallback_tag(image.digest)
    theirs = image.platforms["arm64"][0]  # another tool's entry, with what only it knows
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest_of(theirs), "size": len(theirs), "x-theirs": [1]}
    opened(host).put_manifest(tag, msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}), INDEX)
    context = multiprocessing.get_context("spawn")
    began = time.monotonic()
    workers = [context.Process(target=write, args=(host, image.digest, each * EACH)) for each in range(WRITERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
    assert [worker.exitcode for worker in workers] == [0] * WRITERS
    held = opened(host).manifest(tag)
    assert held is not None
    rows = documents.entries_of(held.data, tag)
    print(f"{WRITERS} processes, {WRITERS * EACH} attachments to one image in {time.monotonic() - began:.1f} s, {len(rows)} entries")
    assert entry in rows
    assert len({row["digest"] for row in rows}) == len(rows) == WRITERS * EACH + 1
    assert len(oci.fetch(opened(host), image.digest)) == WRITERS * EACH


def test_an_image_that_another_tool_pushed_is_endorsed_by_its_digests_there(host: str, tmp_path: Path) -> None:
    """skopeo pushes it; what is endorsed are the digests in the registry, and they verify when it is pulled again."""
    if shutil.which("skopeo") is None:
        pytest.skip("NOT PROVED: skopeo is not installed; do this: sudo apt-get install skopeo")
    image, layout = Image("pushed"), tmp_path / "layout"
    (layout / "blobs" / "sha256").mkdir(parents=True)
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    for data in [*image.blobs.values(), *(each for each, _ in image.documents())]:
        (layout / "blobs" / "sha256" / digest_of(data)[7:]).write_bytes(data)
    row = {"mediaType": INDEX, "digest": image.digest, "size": len(image.index), "annotations": {"org.opencontainers.image.ref.name": "1"}}
    (layout / "index.json").write_bytes(msgspec.json.encode({"schemaVersion": 2, "manifests": [row]}))
    target = f"docker://{host}/{NAME}:by-skopeo"
    command = ["skopeo", "copy", "--quiet", "--all", "--insecure-policy", "--dest-tls-verify=false", f"oci:{layout}:1", target]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    registry = Registry(send, Reference(host, NAME, "by-skopeo", plain=True), actions=PUSH)
    digest = images.resolved(registry)
    parts = list(images.parts_of(images.of_registry(registry), digest, NAME))
    manifests = {f"sha256:{each.named.digest['sha256']}" for each in parts if each.kind != "config"}
    configs = {f"sha256:{each.named.digest['sha256']}" for each in parts if each.kind == "config"}
    assert (len(manifests), digest in manifests, image.digest in manifests) == (3, True, False)  # packed on the way: other digests
    assert configs == {image.config("amd64"), image.config("arm64")}  # which stay
    data = endorsed(1, *images.subjects_of(images.of_registry(registry), digest, NAME))
    attached = oci.attach_everywhere(registry, data)
    assert {each.subject for each in attached} == manifests
    dot_att.attest(registry, digest, data)
    trust, nothing = trusting(KEY), revocation.opened(())
    for each in {each.subject for each in attached}:
        [found] = oci.fetch(opened(host), each)
        assert verify(found, each, Expected(), trust, nothing, now=NOW).ok
    asked = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{host}/{NAME}:{documents.fallback_tag(digest)}"]
    listed = msgspec.json.decode(subprocess.run(asked, check=True, capture_output=True, timeout=60).stdout)
    assert [row["artifactType"] for row in listed["manifests"]] == [bundle.MEDIA_TYPE]


def test_a_registry_with_the_referrers_api_is_asked_by_it_alone() -> None:
    memory = MemoryRegistry(referrers=True)
    image = Image().into(memory)
    registry = Registry(memory.send, Reference("registry.example", NAME), actions=PUSH)
    for number in range(5):
        oci.attach(registry, image.digest, endorsed(number, of(image.digest)))
    assert len(oci.fetch(registry, image.digest)) == 5
    assert memory.tags == {"1": image.digest}  # no list, no tags
    assert not [each for each in memory.asked if "/tags/" in each.url or documents.fallback_tag(image.digest) in each.url]


def test_a_git_host_takes_only_approved_commits_to_a_protected_branch(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.gate("--protect", "refs/heads/main", "--level", "ORG_QUALITY_APPROVED")
    commit = host.commit("unapproved")
    ok, said = host.push("main")
    assert not ok
    assert "no-endorsement" in said
    assert host.tip() == host.first
    host.note(commit, endorsed_commit(commit))
    began = time.monotonic()
    ok, said = host.push("main", notes.REF)
    print(f"a push through the gate took {time.monotonic() - began:.2f} s")
    assert ok, said
    assert host.tip() == commit
    assert not host.push("--force", f"{host.first}:refs/heads/main")[0]
    assert not host.push(":main")[0]
    assert host.tip() == commit
