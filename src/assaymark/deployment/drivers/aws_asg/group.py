"""What the cloud says of a group, its launch template and its machines. Reads only.

Guarantees: which generation a machine is of is told by the version of the launch template that the cloud made it from, whose description is
written once and cannot be changed; where a cloud does not tell that version, by the machine's own tag, and only when it runs the very image
of that version.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from assaymark.deployment.drivers.aws_asg.cloud import Cloud
from assaymark.deployment.drivers.driver import DriverFailed, Launch, Pair
from assaymark.deployment.drivers.naming import label
from assaymark.model.assessment import Instant

GENERATION_TAG = "assaymark:generation"
NUMBER_TAG = "assaymark:number"
PAIR_TAG = "assaymark:pair"
CONFIGURATION_TAG = "assaymark:configuration"
PARAMETERS_TAG = "assaymark:parameters"
BURNT_TAG = "assaymark:burnt"
SIZES_TAG = "assaymark:sizes"
_DESCRIPTION = re.compile(r"assaymark (\S+)-g([1-9][0-9]{0,8}) (sha256:[0-9a-f]{64}) (sha256:[0-9a-f]{64})\Z")
_SECOND = 1_000_000


class Version(Struct, frozen=True):
    """A numbered version of the launch template that a generation was launched with."""

    number: int
    generation: int
    digest: str
    configuration: str
    ami: str
    data: Mapping[str, Any] = {}


class Member(Struct, frozen=True):
    """A machine, as the group tells it."""

    id: str
    lifecycle: str
    healthy: bool
    version: str

    @property
    def serves(self) -> bool:
        return self.lifecycle == "InService" and self.healthy

    @property
    def going(self) -> bool:
        return self.lifecycle.startswith(("Terminat", "Detach", "Warmed:"))


class Group(Struct, frozen=True):
    """An Auto Scaling group."""

    name: str
    template: str
    version: str
    """As it is pinned: a number, or ``$Latest`` or ``$Default``."""
    least: int
    most: int
    desired: int
    members: Sequence[Member]
    tags: Mapping[str, str]
    targets: Sequence[str] = ()
    """Target groups that its machines are registered with."""


class Machine(Struct, frozen=True):
    """A machine of the group with all that is known of it."""

    member: Member
    generation: int
    number: int
    ami: str
    born: Instant
    address: str
    configuration: str
    described: Mapping[str, Any] = {}


def group_of(cloud: Cloud, name: str) -> Group:
    """The group.

    Raises:
        DriverFailed: when there is none, or it is made in a way that is not driven.
    """
    found = cloud.every("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", AutoScalingGroupNames=[name])
    if len(found) != 1:
        raise DriverFailed(f"there is no group {name}", advice="name another with the option group")
    (given,) = found
    template = given.get("LaunchTemplate")
    if not template:
        raise DriverFailed(
            f"the group {name} is not made from a launch template",
            why="it has a launch configuration or a mixed instances policy",
            advice="give the group one launch template",
        )
    members = [
        Member(
            each["InstanceId"],
            str(each.get("LifecycleState", "")),
            str(each.get("HealthStatus", "")).lower() == "healthy",
            str((each.get("LaunchTemplate") or {}).get("Version", "")),
        )
        for each in given.get("Instances") or ()
    ]
    tags = {each["Key"]: str(each.get("Value", "")) for each in given.get("Tags") or ()}
    return Group(
        name, template["LaunchTemplateId"], str(template.get("Version") or "$Default"), int(given["MinSize"]), int(given["MaxSize"]),
        int(given["DesiredCapacity"]), members, tags, tuple(given.get("TargetGroupARNs") or ()),
    )  # fmt: skip


def versions_of(cloud: Cloud, group: Group, pair: Pair) -> dict[int, Version]:
    """Number -> version, of those that are this pair's generations."""
    found = cloud.every("ec2", "describe_launch_template_versions", "LaunchTemplateVersions", LaunchTemplateId=group.template)
    versions = [_version(each, pair) for each in found]
    return {each.number: each for each in versions if each is not None}


def _version(given: Mapping[str, Any], pair: Pair) -> Version | None:
    said = _DESCRIPTION.match(str(given.get("VersionDescription") or ""))
    if said is None or f"{said[1]}-g{said[2]}" != label(pair, f"g{said[2]}"):
        return None
    data = given.get("LaunchTemplateData") or {}
    return Version(int(given["VersionNumber"]), int(said[2]), said[3], said[4], str(data.get("ImageId", "")), data)


def description(asked: Launch) -> str:
    """Of the version for a generation; the cloud keeps it for as long as the version is."""
    return f"assaymark {label(asked.pair, f'g{asked.generation}')} {asked.digest} {asked.configuration.digest}"


def machines_of(cloud: Cloud, group: Group, versions: Mapping[int, Version]) -> list[Machine]:
    """All machines of the group."""
    ids = [each.id for each in group.members]
    described: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), 100):
        # By a filter: named by id, one machine that is not known yet, or not any more, would be an error for all.
        wanted = [{"Name": "instance-id", "Values": ids[start : start + 100]}]
        found = cloud.every("ec2", "describe_instances", "Reservations", Filters=wanted)
        described |= {each["InstanceId"]: each for reservation in found for each in reservation.get("Instances") or ()}
    return [_machine(each, described.get(each.id, {}), versions) for each in group.members]


def _machine(member: Member, described: Mapping[str, Any], versions: Mapping[int, Version]) -> Machine:
    tags = {str(each.get("Key")): str(each.get("Value")) for each in described.get("Tags") or ()}
    ami = str(described.get("ImageId", ""))
    version = versions.get(int(member.version)) if member.version.isdecimal() else None
    if version is None:
        told = tags.get(GENERATION_TAG, "")
        version = next((each for each in versions.values() if str(each.generation) == told and each.ami == ami), None)
    number = tags.get(NUMBER_TAG, "")
    return Machine(
        member,
        version.generation if version else 0,
        int(number) if number.isdecimal() and len(number) < 8 else 0,
        ami,
        _instant(described.get("LaunchTime")),
        str(described.get("PrivateIpAddress", "")),
        version.configuration if version else "",
        described,
    )


def _instant(given: Any) -> Instant:
    return Instant(int(given.timestamp() * _SECOND)) if isinstance(given, dt.datetime) else Instant(0)


def burnt_numbers(group: Group, generation: int) -> frozenset[int]:
    """Of the generation that was burnt from last; of older ones no machine rises any more."""
    which, _, numbers = group.tags.get(BURNT_TAG, "").partition(":")
    if which != f"g{generation}":
        return frozenset()
    return frozenset(int(each) for each in numbers.split() if each.isdecimal())


def burnt_text(generation: int, numbers: frozenset[int]) -> str:
    """At most 256 letters, as a tag has: what does not fit are the lowest, which were given long ago."""
    ordered = sorted(numbers)
    while len(said := f"g{generation}:{' '.join(map(str, ordered))}") > 256:
        del ordered[0]
    return said
