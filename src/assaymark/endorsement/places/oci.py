"""Endorsements beside an image, in its registry: attached as referrers (OCI 1.1), listed, fetched; and what an image consists of.

Guarantees
* a registry with the referrers API is asked by it; where it has none, the list under the fallback tag is changed by adding to what is
  there, and looked at again until it holds every attachment that has a tag of its own. Of writers that do as this one does, however many
  at once, none loses another's entry, and a writer that was killed half-way is made good by the next one and by every reader;
* entries of other tools are kept. A tool that overwrites the list blindly, or writes between our reading and writing where the registry
  ignores conditions, can lose an entry without a tag of its own: nothing in the protocol prevents it;
* attaching the same bundle twice attaches it once.

What is fetched is what lies there, in bounds. Whether it is to be believed is for `verify`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from assaymark.endorsement import bundle
from assaymark.endorsement.places import documents
from assaymark.endorsement.places.documents import BUNDLE_FAMILY, EMPTY, INDEX, MANIFEST, Attachment, Entry, Part
from assaymark.endorsement.places.gathered import gathered, is_about, named
from assaymark.endorsement.places.reference import DIGEST
from assaymark.endorsement.places.registry import Manifest, Registry, Unavailable
from assaymark.errors import SubjectNotFound, SubjectUnreadable, UsageError

MOST_FETCHED = 64
"""Bundles of one image that are read."""
_MOST_ROUNDS = 40
_PAUSE = 0.05


class Attached(Struct, frozen=True):
    """Where an endorsement lies now."""

    subject: str
    """Digest of what it was attached to."""
    digest: str
    """Of the attachment's manifest."""
    fallback: bool
    """Whether it is listed under the fallback tag, because the registry has no list of its own."""


def attach(registry: Registry, digest: str, data: bytes, *, sleep: Callable[[float], None] = time.sleep) -> tuple[Attached, ...]:
    """Attach an endorsement to a manifest of the registry, one attachment for each signature.

    Raises:
        SignatureInvalid: when it is none.
        SubjectNotFound: when the registry does not hold what it is to be attached to.
        SubjectUnreadable: when the registry does not answer; nothing is half attached that trying again does not mend.
        UsageError: when the endorsement is not about this, or the registry does not let in.
    """
    _need_about(data, digest)
    subject = registry.manifest(digest)
    if subject is None:
        raise SubjectNotFound(f"{registry.image.shown} does not hold {digest}", advice="push the image first, then attach")
    return tuple(_attach(registry, subject, each, sleep) for each in documents.bundles_of(data))


def attach_everywhere(registry: Registry, data: bytes, *, sleep: Callable[[float], None] = time.sleep) -> tuple[Attached, ...]:
    """To each subject that is a manifest in this repository: an index, and the manifests of its platforms.

    Raises:
        SubjectNotFound: when it holds none of them; others like `attach`.
    """
    subjects = list(dict.fromkeys(f"sha256:{each.digest['sha256']}" for each in named(data) if "sha256" in each.digest))
    found: list[Attached] = []
    for digest in subjects:
        subject = _manifest(registry, digest) if DIGEST.match(digest) else None
        if subject is not None:
            found += [_attach(registry, subject, each, sleep) for each in documents.bundles_of(data)]
    if not found:
        raise SubjectNotFound(
            f"{registry.image.shown} holds nothing that this endorsement is about",
            why=f"it is about {', '.join(each[:19] for each in subjects[:5]) or 'no image'}", advice="push the image first, then attach",
        )  # fmt: skip
    return tuple(found)


def _manifest(registry: Registry, digest: str) -> Manifest | None:
    """None also for a configuration, at which some registries fail when they are asked for it as a manifest (docker-registry 2.8: 500)."""
    try:
        return registry.manifest(digest)
    except Unavailable:
        if "schemaVersion" in documents.document(registry.blob(digest), digest):
            raise
        return None


def listed(registry: Registry, digest: str) -> list[Entry]:
    """What refers to it: by the registry's own list, or by the fallback tag and the attachments' own tags. Raises like `Registry`."""
    found = registry.referrers(digest)
    if found is not None:
        return found
    entries = documents.entries_of(_data(registry.manifest(documents.fallback_tag(digest))), documents.fallback_tag(digest))
    known = {each["digest"] for each in entries}
    return entries + [each for each in _tagged(registry, digest) if each["digest"] not in known]


def fetch(registry: Registry, digest: str) -> tuple[bytes, ...]:
    """The endorsements of it, each once: of several signatures of one statement a line each, as `bundle.read` takes them.

    Raises like `Registry`; what is no bundle, or not about it, is passed over.
    """
    entries = [each for each in listed(registry, digest) if is_bundle(each)][:MOST_FETCHED]
    return gathered((data for each in entries for data in _bundles(registry, str(each["digest"]), digest)), digest)


def is_bundle(entry: Entry) -> bool:
    """Whether an entry of a list says that it holds a Sigstore bundle."""
    kind = entry.get("artifactType")
    return isinstance(kind, str) and kind.startswith(BUNDLE_FAMILY)


# --- attaching -------------------------------------------------------------------------------------------------------


def _attach(registry: Registry, subject: Manifest, data: bytes, sleep: Callable[[float], None]) -> Attached:
    made = documents.attachment(subject.part, data)
    registry.put_blob(EMPTY)
    registry.put_blob(data)
    answer = registry.put_manifest(made.digest, made.manifest, MANIFEST)
    knows = answer.headers.get("oci-subject", "") == subject.part.digest
    if not knows and registry.referrers(subject.part.digest) is None:
        _list(registry, subject.part, made, sleep)
        return Attached(subject.part.digest, made.digest, fallback=True)
    return Attached(subject.part.digest, made.digest, fallback=False)


def _list(registry: Registry, subject: Part, made: Attachment, sleep: Callable[[float], None]) -> None:
    """Add it to the list under the fallback tag.

    Its own tag comes first. Whoever writes the list last sees, by looking once more, the tag of everybody who was done before: so the
    list holds them all when the last one stops (decision 0039).
    """
    has_tag = False
    for turn in range(_MOST_ROUNDS):
        if turn:
            sleep(_PAUSE * random.random() * min(turn, 20))  # noqa: S311 - so that writers do not go in step
        try:
            if not has_tag:
                registry.put_manifest(documents.own_tag(subject.digest, made.digest), made.manifest, MANIFEST)
                has_tag = True
            if _is_listed(registry, subject, made):
                return
        except Unavailable:  # some registries fail where two write one tag at once
            if turn + 1 == _MOST_ROUNDS:
                raise
    raise SubjectUnreadable(
        f"the list of referrers of {subject.digest} did not come to rest", why="others write it all the time", advice="try again"
    )


def _is_listed(registry: Registry, subject: Part, made: Attachment) -> bool:
    """Whether the list holds it and whatever has a tag of its own; when it does not, it is written, and has to be looked at again."""
    tag = documents.fallback_tag(subject.digest)
    present = registry.manifest(tag)
    wanted = documents.grown(_data(present), [made.entry, *_tagged(registry, subject.digest, _known(present, tag))], tag)
    if wanted is None:
        return True
    condition = {"If-None-Match": "*"} if present is None else {"If-Match": f'"{present.part.digest}"'}
    registry.put_manifest(tag, wanted, INDEX, unless=condition)
    return False


def _known(present: Manifest | None, tag: str) -> frozenset[str]:
    return frozenset(str(each["digest"]) for each in documents.entries_of(_data(present), tag))


def _tagged(registry: Registry, digest: str, known: Iterable[str] = ()) -> Iterator[Entry]:
    """Entries of attachments that have tags of their own and are not known yet."""
    heads = {each.partition(":")[2][:32] for each in known}
    prefix = documents.fallback_tag(digest) + "."
    for tag in registry.tags(prefix)[: documents.MOST_ENTRIES]:
        rest = tag.removeprefix(prefix)
        if len(rest) != 32 or rest in heads:
            continue  # another tool's, such as .sig
        found = registry.manifest(tag)
        if found is not None and documents.subject_of(found.data) == digest:
            yield documents.entry_of(found.data)


def _data(found: Manifest | None) -> bytes | None:
    return found.data if found is not None else None


# --- reading ---------------------------------------------------------------------------------------------------------


def _bundles(registry: Registry, attached: str, digest: str) -> Iterator[bytes]:
    """The bundles in an attachment; none when it is gone, or is not about this digest whatever the list says."""
    manifest = registry.manifest(attached)
    if manifest is None or documents.subject_of(manifest.data) != digest:
        return
    for layer in documents.layers_of(manifest.data, attached)[: bundle.MOST_LINES]:
        if layer.media_type.startswith(BUNDLE_FAMILY) and 0 <= layer.size <= bundle.MOST_BYTES:
            yield registry.blob(layer.digest, most=bundle.MOST_BYTES)


def _need_about(data: bytes, digest: str) -> None:
    if not is_about(data, digest):
        shown = ", ".join(each.name[:100] for each in named(data)[:3])
        raise UsageError(f"this endorsement is not about {digest}", why=f"it is about {shown}", advice="give the one of this very image")
