"""Cosign's older form of attestations, written on demand and read: an image under the tag ``sha256-<hex>.att``, an envelope a layer.

Guarantees: layers of others are kept, and what is added is looked at again until it is there. The tag has no list of writers like that of
`oci`: a foreign tool that writes between our reading and writing can lose a layer where the registry ignores conditions; every endorsement
that lies there as a referrer is put back by the next call.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from assaymark.endorsement import bundle, dsse
from assaymark.endorsement.places import documents, oci
from assaymark.endorsement.places.documents import MANIFEST, MANIFESTS
from assaymark.endorsement.places.gathered import MOST, gathered, named
from assaymark.endorsement.places.registry import Registry, Unavailable
from assaymark.errors import SubjectUnreadable, UsageError

ENVELOPE = "application/vnd.dsse.envelope.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_TURNS = 20
_PAUSE = 0.05


def tag_of(digest: str) -> str:
    return f"{documents.fallback_tag(digest)}.att"


def attest(registry: Registry, digest: str, data: bytes, *, sleep: Callable[[float], None] = time.sleep) -> str:
    """Add the endorsement, and those that are attached as referrers, to the tag; gives the tag.

    Raises:
        SubjectUnreadable: when something else has the tag, the registry does not answer, or others write all the time.
        UsageError: when the endorsement is not about this, or the registry does not let in.
    """
    if not gathered([data], digest):
        raise UsageError(f"this endorsement is not about {digest}", why=f"it is about {', '.join(each.name for each in named(data)[:3])}")
    for turn in range(_TURNS):
        try:
            if turn:
                sleep(_PAUSE * random.random() * turn)  # noqa: S311 - so that writers do not go in step
            if _holds(registry, digest, gathered([*oci.fetch(registry, digest), data], digest)):
                return tag_of(digest)
        except Unavailable:  # some registries fail where two write one tag at once
            if turn + 1 == _TURNS:
                raise
    raise SubjectUnreadable(f"{tag_of(digest)} did not come to rest", why="others write it all the time", advice="try again")


def fetch(registry: Registry, digest: str) -> tuple[bytes, ...]:
    """The endorsements under the tag, as bundles; none without one. Raises like `Registry`."""
    present = registry.manifest(tag_of(digest))
    if present is None:
        return ()
    layers = documents.layers_of(present.data, tag_of(digest))
    chosen = [each for each in layers if each.media_type == ENVELOPE and 0 <= each.size <= bundle.MOST_BYTES][:MOST]
    return gathered((registry.blob(each.digest, most=bundle.MOST_BYTES) for each in chosen), digest)


def _holds(registry: Registry, digest: str, found: Sequence[bytes]) -> bool:
    """Whether it holds them all; when not, they are added, and it has to be looked at again."""
    tag = tag_of(digest)
    present = registry.manifest(tag)
    manifest = documents.document(present.data, tag) if present is not None else _empty()
    if present is not None and present.media_type not in MANIFESTS:
        raise SubjectUnreadable(
            f"{tag} is no image of attestations", why="something else has its tag", advice="look at who pushed that tag"
        )
    documents.layers_of(msgspec.json.encode(manifest), tag)
    known = {each.get("digest") for each in manifest["layers"]}
    envelopes = {documents.digest_of(each): each for each in _envelopes(found)}
    missing = [each for name, each in envelopes.items() if name not in known]
    if not missing:
        return True
    for each in missing:
        registry.put_blob(each)
    layers = [*manifest["layers"], *(_layer(each) for each in missing)]
    config = msgspec.json.encode(_configuration(layers))
    registry.put_blob(config)
    entry = {"mediaType": _CONFIG, "digest": documents.digest_of(config), "size": len(config)}
    written = msgspec.json.encode({**manifest, "config": entry, "layers": layers})
    condition = {"If-None-Match": "*"} if present is None else {"If-Match": f'"{present.part.digest}"'}
    registry.put_manifest(tag, written, str(manifest.get("mediaType") or MANIFEST), unless=condition)
    return False


def _envelopes(found: Sequence[bytes]) -> list[bytes]:
    """One each, with all signatures: cosign takes any number."""
    return [dsse.written(bundle.read(each)) for each in found]


def _layer(envelope: bytes) -> dict[str, Any]:
    kind = msgspec.json.decode(dsse.payload_of(bundle.read(envelope)), type=dict[str, Any]).get("predicateType", "")
    notes = {"dev.cosignproject.cosign/signature": "", "predicateType": str(kind)}
    return {"mediaType": ENVELOPE, "digest": documents.digest_of(envelope), "size": len(envelope), "annotations": notes}


def _empty() -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": MANIFEST, "layers": []}


def _configuration(layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """As of an image whose layers are not packed: their digests are their diff-ids."""
    nothing = "0001-01-01T00:00:00Z"
    return {
        "architecture": "", "config": {}, "created": nothing, "os": "",
        "history": [{"created": nothing} for _ in layers],
        "rootfs": {"type": "layers", "diff_ids": [each["digest"] for each in layers]},
    }  # fmt: skip
