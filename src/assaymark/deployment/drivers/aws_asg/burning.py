"""Taking a machine away for good, although its group would make another.

Guarantees: of the generation that the group is pinned to one fewer is wanted in the same call, so that none is made in its place; its
number is written down before, and is not given again. A machine of an older one, or of nobody, is replaced by the group when it is gone.
"""

from __future__ import annotations

from collections.abc import Callable

from assaymark.deployment.drivers.aws_asg.cloud import Cloud, Denied
from assaymark.deployment.drivers.aws_asg.group import BURNT_TAG, NUMBER_TAG, Group, Machine, burnt_numbers, burnt_text, group_of
from assaymark.deployment.drivers.aws_asg.rolling import terminate

Waiting = Callable[[str, Callable[[], str]], None]
_GONE = frozenset({"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"})


def burn(cloud: Cloud, group: Group, machine: Machine, number: int, waiting: Waiting) -> None:
    """The machine is out of the group, and the cloud says that it is terminated. `number` is 0 where another may be made in its place."""
    if number:
        burnt = burnt_numbers(group, machine.generation) | {number}
        tag = {
            "ResourceId": group.name, "ResourceType": "auto-scaling-group", "Key": BURNT_TAG,
            "Value": burnt_text(machine.generation, burnt), "PropagateAtLaunch": False,
        }  # fmt: skip
        cloud.ask("autoscaling", "create_or_update_tags", Tags=[tag])
    if not machine.member.going:
        if number and group.desired <= group.least:
            cloud.ask("autoscaling", "update_auto_scaling_group", AutoScalingGroupName=group.name, MinSize=max(group.desired - 1, 0))
        try:
            terminate(cloud, machine.member.id, fewer=bool(number) and group.desired > 0)
        except Denied:
            if any(each.id == machine.member.id and not each.going for each in group_of(cloud, group.name).members):
                raise
    waiting(f"{machine.member.id} is not gone", lambda: _still(cloud, machine.member.id))


def _still(cloud: Cloud, machine: str) -> str:
    found = cloud.every("ec2", "describe_instances", "Reservations", Filters=[{"Name": "instance-id", "Values": [machine]}])
    states = [str(each.get("State", {}).get("Name")) for reservation in found for each in reservation.get("Instances") or ()]
    return "" if all(each == "terminated" for each in states) else f"it is {', '.join(states)}"


def note(cloud: Cloud, machine: Machine, number: int) -> None:
    """Writes a machine's number on it; when it is gone meanwhile there is nothing to note."""
    try:
        cloud.ask("ec2", "create_tags", Resources=[machine.member.id], Tags=[{"Key": NUMBER_TAG, "Value": str(number)}])
    except Denied as error:
        if error.error_code not in _GONE:
            raise
