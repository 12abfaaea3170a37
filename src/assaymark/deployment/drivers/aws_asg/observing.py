"""What one machine is now, beside what its launch template says. Pure.

Guarantees: what the cloud shows is compared: image, role, security groups, metadata service, disks that were attached. An image that is
gone, or that nobody who is believed sealed, is told as unseen.

Not here, and never in the cloud's API: what runs inside a machine and what was written on its disks. It is said once, in the how-to, and
not with each look; `assay drift` on the machine looks at its tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assaymark.deployment.drivers.aws_asg.group import Machine, Version
from assaymark.deployment.drivers.aws_asg.seal import MachineImage
from assaymark.deployment.drivers.driver import Change, Observation

_METADATA = ("HttpTokens", "HttpEndpoint", "HttpPutResponseHopLimit")


def observed(instance: str, machine: Machine, version: Version | None, image: MachineImage | None, digest: str) -> Observation:
    """`digest` is that of the tree in its image, as the seal says; empty where none holds."""
    changes = (
        list(_changes(machine, version)) if version is not None else [Change("machine", "added", "it was not launched as a generation")]
    )
    unseen = []
    if not digest:
        unseen.append(f"digest: {machine.ami} is {'gone' if image is None else 'sealed by nobody who is believed'}")
    return Observation(
        instance,
        digest,
        machine.configuration,
        machine.born,
        tuple(sorted(changes)),
        (),
        tuple(_disks(machine, version, image)),
        tuple(unseen),
    )


def _changes(machine: Machine, version: Version) -> Iterator[Change]:
    now, wanted = machine.described, version.data
    if machine.ami != version.ami:
        yield Change("machine/image", "changed", f"{machine.ami} and not {version.ami}")
    groups = {str(each.get("GroupId")) for each in now.get("SecurityGroups") or ()}
    asked = _security_groups(wanted)
    for each in sorted(groups - asked) if asked else ():
        yield Change(f"machine/security-groups/{each}", "added", "it is not in the launch template")
    for each in sorted(asked - groups):
        yield Change(f"machine/security-groups/{each}", "removed", "it is in the launch template")
    role, expected = _role(now), _role(wanted)
    if role != expected:
        yield Change("machine/role", "changed", f"{role or 'none'} and not {expected or 'none'}")
    for name in _METADATA:
        value = (wanted.get("MetadataOptions") or {}).get(name)
        found = (now.get("MetadataOptions") or {}).get(name)
        if value is not None and found is not None and value != found:
            yield Change(f"machine/metadata-service/{name}", "changed", f"{found} and not {value}")


def _security_groups(wanted: Mapping[str, Any]) -> set[str]:
    interfaces = wanted.get("NetworkInterfaces") or ()
    return {*(wanted.get("SecurityGroupIds") or ()), *(group for each in interfaces for group in each.get("Groups") or ())}


def _role(document: Mapping[str, Any]) -> str:
    given = document.get("IamInstanceProfile") or {}
    return str(given.get("Name") or given.get("Arn", "")).rpartition("/")[2]


def _disks(machine: Machine, version: Version | None, image: MachineImage | None) -> Iterator[str]:
    wanted = set(image.snapshots if image is not None else ())
    wanted |= {str(each.get("DeviceName")) for each in (version.data.get("BlockDeviceMappings") if version else None) or ()}
    for each in machine.described.get("BlockDeviceMappings") or ():
        device = str(each.get("DeviceName"))
        if wanted and device not in wanted:
            yield f"disk {(each.get('Ebs') or {}).get('VolumeId', '?')} at {device}"
