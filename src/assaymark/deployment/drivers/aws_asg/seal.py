"""Which tree a machine image holds: a sentence that the bake signs, because the cloud cannot say it.

The digest of a machine image is that of the manifest of its root file system (`subjects.manifest`, form `owned`): what was looked at,
judged and endorsed. An image's id is no digest; it is a name that the cloud gives, in one account and region. What the cloud does promise
is that an id keeps its snapshots and that a snapshot's blocks are never changed. So who baked the image, and saw the tree, signs

    {"ami", "digest", "owner", "region", "root", "snapshots"}

with the id, the account that owns it, and the snapshot behind each device, and puts digest and signature on the image as tags.

Guarantees: tags alone are never believed, since whoever may write tags could write another digest; a seal counts for one image in one
region with just these snapshots, and is none on a copy, another device, or another account's image; a signature is over the type as well,
so that no endorsement can be taken for a seal.

Not here: whether the tree is approved (`endorsement`), and whether the bake told the truth about what it wrote into the snapshot: whoever
holds its key is believed, as for provenance.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.endorsement import dsse
from assaymark.endorsement.keys import PublicKey, Signer, public_key
from assaymark.errors import UsageError

TYPE = "application/vnd.assaymark.machine-image+json"
DIGEST_TAG = "assaymark:digest"
SEAL_TAG = "assaymark:seal"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_MOST_KEY = 16_384
_encode = msgspec.json.Encoder(order="sorted").encode


class MachineImage(Struct, frozen=True):
    """What the cloud says of one."""

    ami: str
    owner: str
    region: str
    root: str
    """Device of the root file system."""
    snapshots: Mapping[str, str]
    """Device -> snapshot."""
    state: str = "available"
    tags: Mapping[str, str] = {}


def image_of(described: Mapping[str, Any], region: str) -> MachineImage:
    """Of an entry of ``DescribeImages``.

    Raises:
        DriverFailed: when a device has no snapshot: its content would be in no seal.
    """
    snapshots: dict[str, str] = {}
    for each in described.get("BlockDeviceMappings") or ():
        if "VirtualName" in each or each.get("NoDevice") is not None:
            continue  # a machine's own empty disk
        snapshot = (each.get("Ebs") or {}).get("SnapshotId")
        if snapshot:
            snapshots[str(each.get("DeviceName"))] = str(snapshot)
    ami, root = str(described.get("ImageId", "")), str(described.get("RootDeviceName") or "")
    if root not in snapshots:
        raise DriverFailed(f"{ami} has no snapshot as its root", advice="use an image whose root is a volume (EBS)")
    tags = {str(each.get("Key")): str(each.get("Value")) for each in described.get("Tags") or ()}
    return MachineImage(ami, str(described.get("OwnerId", "")), region, root, snapshots, str(described.get("State", "")), tags)


def sentence(image: MachineImage, digest: str) -> bytes:
    """What is signed."""
    said = {
        "ami": image.ami, "digest": digest, "owner": image.owner, "region": image.region, "root": image.root,
        "snapshots": dict(image.snapshots),
    }  # fmt: skip
    return dsse.pae(TYPE, _encode(said))


def sealed(image: MachineImage, digest: str, signer: Signer) -> dict[str, str]:
    """The tags of an image whose tree has this digest.

    Raises:
        UsageError: when that is no digest.
    """
    if not _DIGEST.match(digest):
        raise UsageError(f"{digest[:100]!r} is no digest of a tree", advice="give sha256:<hex>, as the manifest says")
    return {DIGEST_TAG: digest, SEAL_TAG: base64.b64encode(signer.sign(sentence(image, digest))).decode("ascii")}


def digest_of(image: MachineImage, keys: Sequence[PublicKey]) -> str:
    """The digest of the tree that this image holds.

    Raises:
        DriverFailed: when nobody who is believed says so.
    """
    digest, text = image.tags.get(DIGEST_TAG, ""), image.tags.get(SEAL_TAG, "")
    if not digest or not text:
        raise DriverFailed(f"nobody sealed {image.ami}", why=f"it lacks the tag {DIGEST_TAG} or {SEAL_TAG}", advice=_ADVICE)
    try:
        signature = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DriverFailed(f"the seal of {image.ami} is none", why="it is no base64", advice=_ADVICE) from error
    said = sentence(image, digest)
    if not _DIGEST.match(digest) or not any(each.holds(signature, said) for each in keys):
        raise DriverFailed(
            f"the seal of {image.ami} does not hold",
            why="no given key signed this digest for this image with these snapshots",
            advice=_ADVICE,
        )
    return digest


_ADVICE = "bake the image again, or seal what was baked: docs/how-to/phoenix-aws.md"


def keys_of(files: Sequence[str]) -> list[PublicKey]:
    """The public keys.

    Raises:
        UsageError: when one cannot be read.
        SignatureInvalid: when one is no key.
    """
    found = []
    for each in files:
        try:
            with Path(each).open("rb") as file:
                found.append(public_key(file.read(_MOST_KEY)))
        except OSError as error:
            raise UsageError(f"{each} cannot be read", why=error.strerror or str(error), advice="name a public key (PEM)") from error
    return found
