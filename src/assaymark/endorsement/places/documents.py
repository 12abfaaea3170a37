"""Documents of a registry that are written or read for an endorsement (OCI image-spec 1.1, distribution-spec 1.1). Pure.

Guarantees: the same bundle at the same image gives the same bytes, so attaching twice attaches once; an index is changed by adding
entries, and keeps every other entry and member as it is, known or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.endorsement import approval, bundle, dsse, statement, strict_json
from assaymark.errors import SignatureInvalid, SubjectUnreadable
from assaymark.formats.undecodable import UNDECODABLE

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
INDEXES = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = (MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
BUNDLE_FAMILY = "application/vnd.dev.sigstore.bundle"
_CREATED = "org.opencontainers.image.created"
_TITLE = "org.opencontainers.image.title"
_CONTENT, _PREDICATE = "dev.sigstore.bundle.content", "dev.sigstore.bundle.predicateType"
MOST_ENTRIES = 4_096
"""Of an index of referrers; registries refuse documents that are much longer."""

Entry = dict[str, Any]
"""A descriptor as it stands in an index, with whatever others wrote into it."""


class Part(Struct, frozen=True):
    """Bytes of a registry, by what names them."""

    media_type: str
    digest: str
    size: int


class Attachment(Struct, frozen=True):
    """What is pushed to attach one bundle to one manifest."""

    manifest: bytes
    bundle: bytes
    entry: Entry
    """Of the manifest, for an index of referrers."""

    @property
    def digest(self) -> str:
        return str(self.entry["digest"])


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def part(media_type: str, data: bytes) -> Part:
    return Part(media_type, digest_of(data), len(data))


def attachment(subject: Part, data: bytes) -> Attachment:
    """A bundle of one signature as a referrer of a manifest."""
    predicate, created = _said(data)
    notes = {_CONTENT: "dsse-envelope", _PREDICATE: predicate, _CREATED: created}
    annotations = {name: value for name, value in notes.items() if value}
    layer = part(bundle.MEDIA_TYPE, data)
    title = f"{layer.digest.replace(':', '-')}.sigstore.json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": bundle.MEDIA_TYPE,
        "config": {**_entry(part(EMPTY_TYPE, EMPTY)), "artifactType": bundle.MEDIA_TYPE},
        "layers": [{**_entry(layer), "annotations": {_TITLE: title}}],
        "subject": _entry(subject),
        "annotations": annotations,
    }
    written = msgspec.json.encode(manifest, order="sorted")
    entry = {**_entry(part(MANIFEST, written)), "artifactType": bundle.MEDIA_TYPE, "annotations": annotations}
    return Attachment(written, data, entry)


def bundles_of(data: bytes) -> tuple[bytes, ...]:
    """A bundle per signature: as it is where it is one already, whatever else it holds.

    Raises:
        SignatureInvalid: when it is neither bundle nor envelope.
    """
    envelope = bundle.read(data)
    if len(envelope.signatures) == 1 and b"dsseEnvelope" in data:
        return (data.strip(),)
    return bundle.one_each(envelope)


def entries_of(data: bytes | None, shown: str) -> list[Entry]:
    """The entries of an index; none of what is not there.

    Raises:
        SubjectUnreadable: when it is something else, which must not be written over.
    """
    return list(_index(data, shown)["manifests"])


def grown(data: bytes | None, entries: Iterable[Entry], shown: str) -> bytes | None:
    """The index with these entries besides its own; None when they are all in it."""
    index = _index(data, shown)
    known = {each.get("digest") for each in index["manifests"]}
    missing = list({each["digest"]: each for each in entries if each["digest"] not in known}.values())
    if not missing:
        return None
    if len(known) + len(missing) > MOST_ENTRIES:
        raise SubjectUnreadable(f"{shown} has too many referrers", why=f"at most {MOST_ENTRIES} are kept", advice="delete old ones")
    return msgspec.json.encode({**index, "manifests": [*index["manifests"], *missing]})


def entry_of(manifest: bytes) -> Entry:
    """What an index says of a referrer's manifest (distribution-spec, referrers tag schema): its type and all its annotations.

    Raises:
        SubjectUnreadable: when it is no manifest.
    """
    found = document(manifest, "a manifest")
    config = found.get("config")
    kind = found.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else "")
    entry: Entry = {**_entry(part(str(found.get("mediaType") or MANIFEST), manifest))}
    if kind:
        entry["artifactType"] = kind
    if found.get("annotations"):
        entry["annotations"] = found["annotations"]
    return entry


def subject_of(manifest: bytes) -> str:
    """Digest of what a manifest refers to; empty when it refers to nothing."""
    subject = document(manifest, "a manifest").get("subject")
    return str(subject.get("digest", "")) if isinstance(subject, dict) else ""


def layers_of(manifest: bytes, shown: str) -> Sequence[Part]:
    """Its layers.

    Raises:
        SubjectUnreadable: when it is no manifest.
    """
    rows = document(manifest, shown).get("layers")
    if not isinstance(rows, list):
        raise SubjectUnreadable(f"{shown} is no manifest of an image", why="it has no layers")
    return [part_of(each, shown) for each in rows]


def part_of(entry: Any, shown: str) -> Part:
    """A descriptor's own three members.

    Raises:
        SubjectUnreadable: when it is none.
    """
    try:
        return msgspec.convert({_NAMES[name]: value for name, value in entry.items() if name in _NAMES}, Part)
    except (msgspec.ValidationError, AttributeError) as error:
        raise SubjectUnreadable(f"{shown} cannot be understood", why=f"it names something by {str(entry)[:100]}") from error


_NAMES = {"mediaType": "media_type", "digest": "digest", "size": "size"}


def document(data: bytes, shown: str) -> dict[str, Any]:
    """An object of JSON.

    Raises:
        SubjectUnreadable: when it is none.
    """
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (*UNDECODABLE, ValueError) as error:
        raise SubjectUnreadable(f"{shown} cannot be understood", why=str(error)[:200]) from error


def fallback_tag(digest: str) -> str:
    """Under which the referrers of a digest are listed where a registry has no API for it (referrers tag schema)."""
    kind, _, value = digest.partition(":")
    return f"{kind[:32]}-{value[:64]}"


def own_tag(subject: str, attached: str) -> str:
    """A tag of the referrer itself in such a registry: it outlives what two writers of one list do to each other, and tidying."""
    return f"{fallback_tag(subject)}.{attached.partition(':')[2][:32]}"


def _index(data: bytes | None, shown: str) -> dict[str, Any]:
    if data is None:
        return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    found = document(data, shown)
    rows = found.get("manifests")
    if not isinstance(rows, list) or not all(isinstance(each, dict) and isinstance(each.get("digest"), str) for each in rows):
        raise SubjectUnreadable(f"{shown} is no index of referrers", why="something else has its tag", advice="look at who pushed that tag")
    return found


def _entry(of: Part) -> Entry:
    return {"mediaType": of.media_type, "digest": of.digest, "size": of.size}


def _said(data: bytes) -> tuple[str, str]:
    """Predicate type and time of what a bundle says; only for annotations, which nobody believes."""
    try:
        said = statement.read(dsse.payload_of(bundle.read(data)))
        return said.predicate_type, approval.read(said).time_verified
    except (SignatureInvalid, strict_json.NotStrictError):
        return "", ""
