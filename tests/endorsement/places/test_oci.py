"""Endorsements in registries of images, with the referrers API and without."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.endorsement.approvals import claims, signer, statement_of, trusting
from tests.endorsement.places import debian_registry
from tests.endorsement.places.registries import HOST, INDEX, MANIFEST, Image, MemoryRegistry, digest_of

from assaymark.endorsement import bundle, dsse, revocation
from assaymark.endorsement.approval import Approval
from assaymark.endorsement.keys import KeySigner
from assaymark.endorsement.places import documents, dot_att, images, oci
from assaymark.endorsement.places.access import PUSH
from assaymark.endorsement.places.direct import send
from assaymark.endorsement.places.door import Ask, Said, Send
from assaymark.endorsement.places.reference import Reference, reference
from assaymark.endorsement.places.registry import Registry
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.endorsement.verify import Expected, verify
from assaymark.errors import SubjectNotFound, SubjectUnreadable, UsageError

from tests.endorsement.approvals import NOW  # isort: skip

KEY = signer()
NAME = "shop/web"


def opened(memory: MemoryRegistry, credential: str = "") -> Registry:
    return Registry(memory.send, Reference(HOST, NAME), credential, actions=PUSH)


def endorsed(*digests: str, by: tuple[KeySigner, ...] = (KEY,), claimed: Approval | None = None) -> bytes:
    subjects = tuple(Named(NAME, {"sha256": each.removeprefix("sha256:")}) for each in digests)
    return bundle.written(dsse.sign(PAYLOAD_TYPE, statement_of(claimed, subjects), *by))


def numbered(digest: str, number: int) -> bytes:
    return endorsed(digest, claimed=claims(resource_uri=f"oci://{HOST}/{number}"))


def quickly(_: float) -> None:
    return None


@pytest.fixture(params=["referrers", "fallback"])
def memory(request: pytest.FixtureRequest) -> MemoryRegistry:
    return MemoryRegistry(referrers=request.param == "referrers")


def test_what_is_attached_is_fetched_and_verifies(memory: MemoryRegistry) -> None:
    image = Image().into(memory)
    data = endorsed(image.digest)
    [attached] = oci.attach(opened(memory), image.digest, data)
    assert attached.fallback is not memory.has_referrers
    [fetched] = oci.fetch(opened(memory), image.digest)
    assert fetched == data
    asked = Expected(), trusting(KEY), revocation.opened(())
    assert verify(fetched, image.digest, *asked, now=NOW).ok


def test_an_attachment_is_what_other_tools_look_for(memory: MemoryRegistry) -> None:
    image = Image().into(memory)
    [attached] = oci.attach(opened(memory), image.digest, endorsed(image.digest))
    manifest = msgspec.json.decode(memory.manifests[attached.digest][0])
    assert manifest["mediaType"] == MANIFEST
    assert manifest["artifactType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert (
        manifest["config"]["digest"] == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )  # of {}, by the standard
    assert manifest["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert manifest["subject"] == {"mediaType": INDEX, "digest": image.digest, "size": len(image.index)}
    assert [each["mediaType"] for each in manifest["layers"]] == ["application/vnd.dev.sigstore.bundle.v0.3+json"]
    assert manifest["annotations"]["dev.sigstore.bundle.predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert manifest["annotations"]["org.opencontainers.image.created"] == "2026-11-28T11:00:00Z"


def test_attaching_twice_attaches_once(memory: MemoryRegistry) -> None:
    image = Image().into(memory)
    first = oci.attach(opened(memory), image.digest, endorsed(image.digest))
    data = oci.fetch(opened(memory), image.digest)[0]
    held = dict(memory.manifests)
    assert oci.attach(opened(memory), image.digest, data) == first
    assert memory.manifests == held


def test_every_page_of_the_list_is_read(memory: MemoryRegistry) -> None:
    image = Image().into(memory)
    for number in range(5):  # a page has two
        oci.attach(opened(memory), image.digest, numbered(image.digest, number))
    assert len(oci.fetch(opened(memory), image.digest)) == 5


def test_two_signatures_are_two_attachments_and_one_endorsement(memory: MemoryRegistry) -> None:
    image, other = Image().into(memory), signer("ed25519")
    assert len(oci.attach(opened(memory), image.digest, endorsed(image.digest, by=(KEY, other)))) == 2
    [fetched] = oci.fetch(opened(memory), image.digest)
    trust = trusting(KEY, other, threshold=2)
    assert verify(fetched, image.digest, Expected(), trust, revocation.opened(()), now=NOW).ok


def test_an_endorsement_lies_beside_the_index_and_each_platform(memory: MemoryRegistry) -> None:
    image = Image().into(memory)
    registry = opened(memory)
    subjects = images.subjects_of(images.of_registry(registry), image.digest, NAME)
    data = bundle.written(dsse.sign(PAYLOAD_TYPE, statement_of(None, subjects), KEY))
    found = oci.attach_everywhere(registry, data)
    assert {each.subject for each in found} == {image.digest, image.manifest("amd64"), image.manifest("arm64")}
    assert oci.fetch(opened(memory), image.manifest("arm64")) == (data,)


def test_the_list_under_the_fallback_tag_keeps_what_others_wrote_as_they_wrote_it() -> None:
    memory = MemoryRegistry(referrers=False)
    image = Image().into(memory)
    theirs = memory.keep(msgspec.json.encode({"schemaVersion": 2, "subject": {"digest": image.digest}, "theirs": 1}))
    entry = {"mediaType": MANIFEST, "digest": theirs, "size": 7, "artifactType": "application/spdx+json", "x-unknown": [1, {"a": 2}]}
    tag = "sha256-" + image.digest.removeprefix("sha256:")
    memory.keep(msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry], "annotations": {"k": "v"}}), INDEX, tag)
    [attached] = oci.attach(opened(memory), image.digest, endorsed(image.digest))
    held = memory.tagged(tag)
    assert held["manifests"][0] == entry
    assert held["annotations"] == {"k": "v"}
    assert [each["digest"] for each in held["manifests"]] == [theirs, attached.digest]


def test_the_list_says_of_an_entry_what_the_specification_asks_for() -> None:
    memory = MemoryRegistry(referrers=False)
    image = Image().into(memory)
    [attached] = oci.attach(opened(memory), image.digest, endorsed(image.digest))
    [entry] = memory.tagged("sha256-" + image.digest.removeprefix("sha256:"))["manifests"]
    manifest = msgspec.json.decode(memory.manifests[attached.digest][0])
    assert (entry["artifactType"], entry["annotations"]) == (manifest["artifactType"], manifest["annotations"])
    assert entry["size"] == len(memory.manifests[attached.digest][0])


@pytest.mark.parametrize("conditions", [False, True])
def test_an_entry_written_between_reading_and_writing_is_not_lost(conditions: bool) -> None:
    """The other one reads the list that we read, and writes after us: his list lacks our entry, ours lacks his."""
    memory = MemoryRegistry(referrers=False, conditions=conditions)
    image = Image().into(memory)
    tag = "sha256-" + image.digest.removeprefix("sha256:")
    theirs: list[str] = []

    def meanwhile(ask: Ask) -> None:
        if ask.method == "PUT" and ask.url.endswith(tag) and not theirs:
            theirs.append("begun")
            theirs[:] = [oci.attach(opened(memory), image.digest, numbered(image.digest, 7), sleep=quickly)[0].digest]

    memory.before = meanwhile
    [mine] = oci.attach(opened(memory), image.digest, endorsed(image.digest), sleep=quickly)
    held = [each["digest"] for each in memory.tagged(tag)["manifests"]]
    assert sorted(held) == sorted([mine.digest, *theirs])


def test_an_entry_that_another_tool_overwrote_is_found_and_put_back() -> None:
    memory = MemoryRegistry(referrers=False)
    image = Image().into(memory)
    tag = "sha256-" + image.digest.removeprefix("sha256:")
    [mine] = oci.attach(opened(memory), image.digest, endorsed(image.digest))
    memory.keep(msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}), INDEX, tag)  # blindly
    assert len(oci.fetch(opened(memory), image.digest)) == 1
    oci.attach(opened(memory), image.digest, numbered(image.digest, 2))
    assert mine.digest in [each["digest"] for each in memory.tagged(tag)["manifests"]]


def test_what_is_no_list_under_the_fallback_tag_is_not_written_over() -> None:
    memory = MemoryRegistry(referrers=False)
    image = Image().into(memory)
    tag = "sha256-" + image.digest.removeprefix("sha256:")
    memory.keep(b'{"schemaVersion": 2, "layers": []}', MANIFEST, tag)
    with pytest.raises(SubjectUnreadable, match="no index of referrers"):
        oci.attach(opened(memory), image.digest, endorsed(image.digest))
    assert memory.tagged(tag) == {"schemaVersion": 2, "layers": []}


def test_what_is_not_about_the_image_is_not_attached(memory: MemoryRegistry) -> None:
    image = Image().into(memory)
    with pytest.raises(UsageError, match="not about"):
        oci.attach(opened(memory), image.digest, endorsed("sha256:" + "0" * 64))


def test_an_image_that_was_not_pushed_is_named(memory: MemoryRegistry) -> None:
    absent = "sha256:" + "0" * 64
    with pytest.raises(SubjectNotFound) as caught:
        oci.attach(opened(memory), absent, endorsed(absent))
    assert "push the image first" in caught.value.diagnosis()


def test_what_a_registry_lists_but_is_about_something_else_is_passed_over() -> None:
    """A list is no proof: neither of what an attachment refers to, nor of what its bundle says."""
    memory = MemoryRegistry(referrers=False)
    image, other = Image().into(memory), Image("other").into(memory)
    [theirs] = oci.attach(opened(memory), other.digest, endorsed(other.digest))
    row = {"mediaType": MANIFEST, "digest": theirs.digest, "size": 1, "artifactType": bundle.MEDIA_TYPE}
    tag = "sha256-" + image.digest.removeprefix("sha256:")
    memory.keep(msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]}), INDEX, tag)
    assert oci.fetch(opened(memory), image.digest) == ()
    replayed = documents.attachment(documents.Part(INDEX, image.digest, len(image.index)), endorsed(other.digest))
    memory.blobs |= {digest_of(replayed.bundle): replayed.bundle, digest_of(b"{}"): b"{}"}
    memory.keep(replayed.manifest)
    memory.keep(msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [replayed.entry]}), INDEX, tag)
    assert oci.fetch(opened(memory), image.digest) == ()


def test_other_bytes_than_were_asked_for_are_refused(memory: MemoryRegistry) -> None:
    image = Image().into(memory)
    oci.attach(opened(memory), image.digest, endorsed(image.digest))
    blob = next(digest for digest, data in memory.blobs.items() if b"dsseEnvelope" in data)
    memory.blobs[blob] = endorsed(image.digest, by=(signer(),))
    with pytest.raises(SubjectUnreadable, match="another content"):
        oci.fetch(opened(memory), image.digest)


def test_a_list_without_end_ends() -> None:
    def send(ask: Ask) -> Said:
        return Said(200, {"link": f'<{ask.url}>; rel="next"'}, b'{"manifests": []}')

    with pytest.raises(SubjectUnreadable, match="without end"):
        oci.listed(Registry(send, Reference(HOST, NAME)), "sha256:" + "1" * 64)


def test_an_image_is_its_index_its_platforms_and_their_configurations(memory: MemoryRegistry) -> None:
    image = Image().into(memory)
    found = images.subjects_of(images.of_registry(opened(memory)), image.digest, NAME)
    expected = [image.digest, image.manifest("amd64"), image.config("amd64"), image.manifest("arm64"), image.config("arm64")]
    assert [f"sha256:{each.digest['sha256']}" for each in found] == expected
    assert [each.name for each in found][:3] == [NAME, f"{NAME} (linux/amd64)", f"{NAME}#config (linux/amd64)"]
    one = images.subjects_of(images.of_registry(opened(memory)), image.digest, NAME, platform="linux/arm64")
    assert [f"sha256:{each.digest['sha256']}" for each in one] == [image.digest, image.manifest("arm64"), image.config("arm64")]
    with pytest.raises(SubjectNotFound, match="no image for linux/s390x"):
        images.subjects_of(images.of_registry(opened(memory)), image.digest, NAME, platform="linux/s390x")


def test_a_layout_on_disk_has_the_same_subjects(tmp_path: Path) -> None:
    image = Image()
    (tmp_path / "blobs" / "sha256").mkdir(parents=True)
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    for data in [*image.blobs.values(), *(each for each, _ in image.documents())]:
        (tmp_path / "blobs" / "sha256" / digest_of(data).removeprefix("sha256:")).write_bytes(data)
    row = {"mediaType": INDEX, "digest": image.digest, "size": len(image.index)}
    (tmp_path / "index.json").write_bytes(msgspec.json.encode({"schemaVersion": 2, "manifests": [row]}))
    read, digests = images.of_layout(str(tmp_path))
    assert digests == (image.digest,)
    assert len(images.subjects_of(read, image.digest, NAME)) == 5


# --- cosign's older form ---------------------------------------------------------------------------------------------


def test_an_attestation_tag_is_written_and_read(memory: MemoryRegistry) -> None:
    image, other = Image().into(memory), signer()
    data = endorsed(image.digest, by=(KEY, other))
    tag = dot_att.attest(opened(memory), image.digest, data)
    assert tag == "sha256-" + image.digest.removeprefix("sha256:") + ".att"
    [layer] = memory.tagged(tag)["layers"]
    assert layer["mediaType"] == "application/vnd.dsse.envelope.v1+json"
    envelope = msgspec.json.decode(memory.blobs[layer["digest"]])
    assert sorted(envelope) == ["payload", "payloadType", "signatures"]
    assert len(envelope["signatures"]) == 2
    config = msgspec.json.decode(memory.blobs[memory.tagged(tag)["config"]["digest"]])
    assert config["rootfs"]["diff_ids"] == [layer["digest"]]
    [fetched] = dot_att.fetch(opened(memory), image.digest)
    trust = trusting(KEY, other, threshold=2)
    assert verify(fetched, image.digest, Expected(), trust, revocation.opened(()), now=NOW).ok


def test_an_attestation_of_another_tool_stays_beside_ours(memory: MemoryRegistry) -> None:
    image = Image().into(memory)
    tag = dot_att.tag_of(image.digest)
    layer = {"mediaType": "application/vnd.dsse.envelope.v1+json", "digest": digest_of(b"{}"), "size": 2, "annotations": {"x": "y"}}
    memory.blobs[digest_of(b"{}")] = b"{}"
    memory.keep(
        msgspec.json.encode({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer], "annotations": {"k": "v"}}), MANIFEST, tag
    )
    dot_att.attest(opened(memory), image.digest, numbered(image.digest, 1), sleep=quickly)
    dot_att.attest(opened(memory), image.digest, numbered(image.digest, 2), sleep=quickly)
    held = memory.tagged(tag)
    assert held["layers"][0] == layer
    assert held["annotations"] == {"k": "v"}
    assert len(held["layers"]) == 3
    assert len(dot_att.fetch(opened(memory), image.digest)) == 2


def test_what_is_no_attestation_under_its_tag_is_not_written_over(memory: MemoryRegistry) -> None:
    image = Image().into(memory)
    memory.tags[dot_att.tag_of(image.digest)] = image.digest
    with pytest.raises(SubjectUnreadable):
        dot_att.attest(opened(memory), image.digest, endorsed(image.digest))


# --- credentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bearer", [True, False])
def test_a_challenge_is_answered_with_the_right_scope(bearer: bool) -> None:
    memory = MemoryRegistry(credential="robot:secret", bearer=bearer)
    image = Image().into(memory)
    oci.attach(opened(memory, "robot:secret"), image.digest, endorsed(image.digest))
    assert memory.scopes == ([f"repository:{NAME}:pull,push"] if bearer else [])
    with pytest.raises(UsageError, match="not open to us"):
        oci.fetch(opened(memory, "robot:wrong"), image.digest)


def test_a_credential_goes_to_no_other_site_and_over_no_weaker_scheme() -> None:
    asked: list[Ask] = []

    def of(realm: str) -> Send:
        def send(ask: Ask) -> Said:
            asked.append(ask)
            return Said(401, {"www-authenticate": f'Bearer realm="{realm}"'}) if HOST in ask.url else Said(401, {})

        return send

    with pytest.raises(UsageError):
        Registry(of("https://evil.test/token"), Reference(HOST, NAME), "robot:secret").manifest("1")
    assert [each.headers for each in asked if "evil" in each.url] == [{}]
    for realm in ("http://auth.registry.example/token", "file:///etc/passwd", "https://user@auth.registry.example/"):
        with pytest.raises(UsageError, match="sends its callers"):
            Registry(of(realm), Reference(HOST, NAME), "robot:secret").manifest("1")


def test_a_redirect_takes_no_credential_along_and_leads_to_no_weaker_scheme() -> None:
    asked: list[Ask] = []

    def send(ask: Ask) -> Said:
        asked.append(ask)
        if "Authorization" not in ask.headers and HOST in ask.url:
            return Said(401, {"www-authenticate": "Basic realm=x"})
        return Said(307, {"location": "https://store.test/blob"}) if HOST in ask.url else Said(200, {}, b"blob")

    assert Registry(send, Reference(HOST, NAME), "robot:secret").blob(digest_of(b"blob")) == b"blob"
    assert "Authorization" not in asked[-1].headers
    insecure = Registry(lambda _: Said(307, {"location": "http://store.test/blob"}), Reference(HOST, NAME))
    with pytest.raises(SubjectUnreadable, match="sends its callers"):
        insecure.blob(digest_of(b"blob"))


def test_no_credential_is_shown() -> None:
    assert "secret" not in repr(Ask("GET", "https://x.example/", {"Authorization": "Basic secret"}))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("oci://registry.example/shop/web:1", "https://registry.example/v2/shop/web"),
        ("nginx", "https://registry-1.docker.io/v2/library/nginx"),
        ("localhost:5000/web", "http://localhost:5000/v2/web"),
        ("127.0.0.1:5000/web", "http://127.0.0.1:5000/v2/web"),
    ],
)
def test_names_lead_to_registries(text: str, url: str) -> None:
    assert reference(text).url == url


@pytest.mark.parametrize(
    "text", ["", "oci://", "oci://h.example/UPPER", "h.example/a@sha256:12", "h.example/a:b:c", "h.example/../x", "u@h.example/a", "h .x/a"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        reference(text)


# --- Debian's ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with debian_registry.running(tmp_path_factory.mktemp("registry")) as host:
        yield host


def of_debian(host: str) -> Registry:
    return Registry(send, Reference(host, NAME, plain=True), actions=PUSH)


@pytest.mark.enable_socket
def test_a_real_registry_without_the_api_holds_and_gives_back(debian: str) -> None:
    image = Image("real")
    debian_registry.pushed(debian, image)
    data = endorsed(image.digest)
    assert of_debian(debian).referrers(image.digest) is None
    [attached] = oci.attach(of_debian(debian), image.digest, data)
    assert attached.fallback
    assert oci.fetch(of_debian(debian), image.digest) == (data,)
    assert images.resolved(Registry(send, Reference(debian, NAME, "1", plain=True))) == image.digest


@pytest.mark.enable_socket
def test_no_entry_is_lost_when_many_attach_at_once(debian: str) -> None:
    image = Image("many")
    debian_registry.pushed(debian, image)
    number = 12
    start, trouble = threading.Barrier(number), list[BaseException]()

    def attach(each: int) -> None:
        try:
            data = numbered(image.digest, each)
            start.wait()
            oci.attach(of_debian(debian), image.digest, data)
        except BaseException as error:  # noqa: BLE001 - told by the test
            trouble.append(error)

    threads = [threading.Thread(target=attach, args=(each,)) for each in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not trouble
    tag = documents.fallback_tag(image.digest)
    held: Any = of_debian(debian).manifest(tag)
    assert len(documents.entries_of(held.data, tag)) == number  # in the list itself, which other tools read
    assert len(oci.fetch(of_debian(debian), image.digest)) == number
