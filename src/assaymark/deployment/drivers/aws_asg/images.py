"""Which machine image holds an endorsed tree.

Guarantees: an image is used only when its seal holds for the digest that is asked for, whether it was named by its id or found by a tag; of
several that hold the same tree the one that the generation uses already is used again, and otherwise always the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assaymark.deployment.drivers.aws_asg import seal
from assaymark.deployment.drivers.aws_asg.cloud import Cloud, Denied
from assaymark.deployment.drivers.aws_asg.settings import Settings
from assaymark.deployment.drivers.driver import DriverFailed, Launch
from assaymark.endorsement.keys import PublicKey

_IMAGE = re.compile(r"([^@\s]+)@(sha256:[0-9a-f]{64})\Z")
_AMI = re.compile(r"ami-[0-9a-f]{8,17}\Z")
_UNKNOWN = frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed"})


def described(cloud: Cloud, ami: str) -> seal.MachineImage | None:
    """What the cloud says of an image; nothing when it is gone, although machines of it run on."""
    try:
        found = cloud.every("ec2", "describe_images", "Images", ImageIds=[ami])
    except Denied as error:
        if error.error_code not in _UNKNOWN:
            raise
        return None
    return seal.image_of(found[0], cloud.region) if len(found) == 1 else None


def image_for(cloud: Cloud, asked: Launch, keys: Sequence[PublicKey], settings: Settings, used: str) -> seal.MachineImage:
    """The image to launch; `used` is the one that the generation's version names already.

    Raises:
        DriverFailed: when there is none whose seal holds for this digest.
    """
    named = _IMAGE.match(asked.image)
    if named is None or named[2] != asked.digest:
        raise DriverFailed(f"{asked.image} does not name {asked.digest}", advice="write ami-…@sha256:…, or any name before the digest")
    if not _AMI.match(named[1]):
        return _found(cloud, asked.digest, keys, settings, used)
    image = described(cloud, named[1])
    if image is None or image.state != "available":
        raise DriverFailed(f"{named[1]} is not there", why="gone" if image is None else image.state)
    digest = seal.digest_of(image, keys)
    if digest != asked.digest:
        raise DriverFailed(f"{named[1]} holds {digest}, not {asked.digest}")
    return image


def _found(cloud: Cloud, digest: str, keys: Sequence[PublicKey], settings: Settings, used: str) -> seal.MachineImage:
    wanted = [{"Name": f"tag:{seal.DIGEST_TAG}", "Values": [digest]}, {"Name": "state", "Values": ["available"]}]
    found = cloud.every("ec2", "describe_images", "Images", Owners=settings.owners.split(), Filters=wanted)
    good: dict[str, seal.MachineImage] = {}
    last: DriverFailed | None = None
    for each in found:
        try:
            image = seal.image_of(each, cloud.region)
            if seal.digest_of(image, keys) == digest:
                good[image.ami] = image
        except DriverFailed as error:
            last = error
    if good:
        return good[used if used in good else min(good)]
    raise DriverFailed(
        f"no machine image holds {digest}", why=f"{last.what}: {last.why}" if last else f"none in {cloud.region} says so",
        advice="bake one and seal it: docs/how-to/phoenix-aws.md",
    )  # fmt: skip
