"""A group with Instance Refresh, which moto does not have. Every call goes through botocore's own client and Stubber: what is asked and
what is answered are both held to the published model of the service.

The rules are those of the documentation of EC2 Auto Scaling: one refresh at a time; a refresh pins the group only when it is successful; a
failed one is taken back when that was asked for and the group is pinned to a number; a finished one is not taken back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import boto3
from botocore.stub import Stubber
from tests.deployment.aws_region import GROUP, KEY, REGION

from assaymark.deployment.drivers.aws_asg import seal
from assaymark.deployment.drivers.aws_asg.cloud import Cloud

TEMPLATE = "lt-0123456789abcdef0"
OWNER = "123456789012"
_BORN = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
Answer = dict[str, Any]


class Refused(Exception):  # noqa: N818 - it is what the cloud says
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@cache
def _stubbed(service: str) -> tuple[Any, Stubber]:
    client = boto3.client(service, region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")
    stubber = Stubber(client)
    stubber.activate()
    return client, stubber


class Refreshing(Cloud):
    """The cloud that a driver asks."""

    def __init__(self, count: int = 2) -> None:
        super().__init__(lambda service: _stubbed(service)[0], REGION)
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.images: dict[str, Answer] = {}
        self.versions: list[Answer] = [{"VersionNumber": 1, "LaunchTemplateData": {"ImageId": self.image("ami-00000000")}}]
        self.pinned = "$Latest"
        self.sizes = [1, count, count]
        self.machines: dict[str, int] = {}
        """Machine -> version of the template."""
        self.refreshes: list[Answer] = []
        self.broken: set[int] = set()
        """Versions whose machines never answer."""
        self.skips: set[str] = set()
        """Machines that a refresh leaves out, whatever it says."""
        self.slow = False
        self.tags: dict[str, str] = {}
        self._born = 0
        self._fill(1)

    # --- what stands in for the cloud ------------------------------------------------------------------------------------

    def image(self, ami: str, digest: str = "") -> str:
        found: Answer = {
            "ImageId": ami, "OwnerId": OWNER, "State": "available", "RootDeviceName": "/dev/xvda",
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": f"snap-{ami[4:]}"}}],
        }  # fmt: skip
        self.images[ami] = found
        if digest:
            tags = seal.sealed(seal.image_of(found, REGION), digest, KEY)
            found["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        return ami

    def ask(self, service: str, operation: str, **given: Any) -> dict[str, Any]:
        _, stubber = _stubbed(service)
        self.calls.append((operation, given))
        try:
            answer = getattr(self, f"_{operation}")(given)
        except Refused as refused:
            stubber.add_client_error(operation, refused.code, f"{refused.code} happened", expected_params=given)
        else:
            stubber.add_response(operation, answer, given)
        return super().ask(service, operation, **given)

    @property
    def asked_for(self) -> list[str]:
        return [operation for operation, _ in self.calls if not operation.startswith("describe")]

    def of(self, operation: str) -> Mapping[str, Any]:
        """What was last given to it."""
        return next(given for name, given in reversed(self.calls) if name == operation)

    def _fill(self, version: int) -> None:
        while len(self.machines) < self.sizes[2]:
            self._born += 1
            self.machines[f"i-{self._born:017x}"] = version
        for each in list(self.machines)[self.sizes[2] :]:
            del self.machines[each]

    def _number(self, text: str) -> int:
        return len(self.versions) if text == "$Latest" else 1 if text == "$Default" else int(text)

    # --- its answers -----------------------------------------------------------------------------------------------------

    def _describe_auto_scaling_groups(self, _: Answer) -> Answer:
        machines = [
            {
                "InstanceId": each, "AvailabilityZone": f"{REGION}a", "LifecycleState": "InService", "ProtectedFromScaleIn": False,
                "HealthStatus": "Unhealthy" if version in self.broken else "Healthy",
                "LaunchTemplate": {"LaunchTemplateId": TEMPLATE, "Version": str(version)},
            }
            for each, version in self.machines.items()
        ]  # fmt: skip
        group = {
            "AutoScalingGroupName": GROUP, "MinSize": self.sizes[0], "MaxSize": self.sizes[1], "DesiredCapacity": self.sizes[2],
            "DefaultCooldown": 300, "AvailabilityZones": [f"{REGION}a"], "HealthCheckType": "EC2", "CreatedTime": _BORN,
            "LaunchTemplate": {"LaunchTemplateId": TEMPLATE, "Version": self.pinned}, "Instances": machines,
            "Tags": [{"Key": key, "Value": value, "ResourceId": GROUP} for key, value in self.tags.items()],
        }  # fmt: skip
        return {"AutoScalingGroups": [group]}

    def _describe_launch_template_versions(self, given: Answer) -> Answer:
        wanted = {self._number(each) for each in given.get("Versions", ())}
        found = [each for each in self.versions if not wanted or each["VersionNumber"] in wanted]
        return {"LaunchTemplateVersions": [{"LaunchTemplateId": TEMPLATE, **each} for each in found]}

    def _create_launch_template_version(self, given: Answer) -> Answer:
        if given.get("DryRun"):
            raise Refused("DryRunOperation")
        source = self.versions[int(given["SourceVersion"]) - 1]["LaunchTemplateData"]
        made = {
            "VersionNumber": len(self.versions) + 1, "VersionDescription": given["VersionDescription"],
            "LaunchTemplateData": {**source, **given["LaunchTemplateData"]},
        }  # fmt: skip
        self.versions.append(made)
        return {"LaunchTemplateVersion": {"LaunchTemplateId": TEMPLATE, **made}}

    def _describe_images(self, given: Answer) -> Answer:
        wanted = given["Filters"][0]["Values"][0] if "Filters" in given else ""
        tagged = [name for name, each in self.images.items() if wanted in [tag["Value"] for tag in each.get("Tags", ())]]
        found = [self.images[each] for each in given.get("ImageIds", tagged) if each in self.images]
        if "ImageIds" in given and not found:
            raise Refused("InvalidAMIID.NotFound")
        return {"Images": found}

    def _describe_instances(self, given: Answer) -> Answer:
        found = [
            {
                "InstanceId": each, "ImageId": self.versions[self.machines[each] - 1]["LaunchTemplateData"]["ImageId"],
                "LaunchTime": _BORN + dt.timedelta(seconds=int(each.rpartition("-")[2], 16)), "PrivateIpAddress": "10.0.0.4",
                "State": {"Code": 16, "Name": "running"},
            }
            for each in given["Filters"][0]["Values"]
            if each in self.machines
        ]  # fmt: skip
        return {"Reservations": [{"ReservationId": "r-1", "OwnerId": OWNER, "Instances": found}]}

    def _create_tags(self, _: Answer) -> Answer:
        return {}

    def _get_parameters_by_path(self, _: Answer) -> Answer:
        return {"Parameters": []}

    def _update_auto_scaling_group(self, given: Answer) -> Answer:
        if self._active():
            raise Refused("ScalingActivityInProgress")
        self.pinned = given.get("LaunchTemplate", {}).get("Version", self.pinned)
        names = ("MinSize", "MaxSize", "DesiredCapacity")
        self.sizes = [given.get(name, size) for name, size in zip(names, self.sizes, strict=True)]
        self._fill(self._number(self.pinned))
        return {}

    def _start_instance_refresh(self, given: Answer) -> Answer:
        if self._active():
            raise Refused("InstanceRefreshInProgress")
        if given["Preferences"]["AutoRollback"] and not self.pinned.isdecimal():
            raise Refused("ValidationError")
        made = {
            "InstanceRefreshId": f"refresh-{len(self.refreshes) + 1}", "AutoScalingGroupName": GROUP, "Status": "Pending",
            "PercentageComplete": 0, "DesiredConfiguration": given["DesiredConfiguration"], "Preferences": given["Preferences"],
        }  # fmt: skip
        self.refreshes.insert(0, made)
        return {"InstanceRefreshId": made["InstanceRefreshId"]}

    def _describe_instance_refreshes(self, given: Answer) -> Answer:
        wanted = given.get("InstanceRefreshIds")
        found = [each for each in self.refreshes if not wanted or each["InstanceRefreshId"] in wanted]
        answer = {"InstanceRefreshes": [dict(each) for each in found[: given.get("MaxRecords", 100)]]}
        if wanted:
            for each in found:
                self._advance(each)
        return answer

    def _cancel_instance_refresh(self, _: Answer) -> Answer:
        return self._turn("Cancelling")

    def _rollback_instance_refresh(self, _: Answer) -> Answer:
        if not self.pinned.isdecimal():
            raise Refused("IrreversibleInstanceRefresh")
        return self._turn("RollbackInProgress")

    def _turn(self, status: str) -> Answer:
        active = self._active()
        if active is None:
            raise Refused("ActiveInstanceRefreshNotFound")
        active["Status"] = status
        return {"InstanceRefreshId": active["InstanceRefreshId"]}

    def _active(self) -> Answer | None:
        done = {"Successful", "Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"}
        return next((each for each in self.refreshes if each["Status"] not in done), None)

    def _advance(self, refresh: Answer) -> None:
        """One machine, or one status, further."""
        target = int(refresh["DesiredConfiguration"]["LaunchTemplate"]["Version"])
        steps: dict[str, Callable[[], None]] = {
            "Pending": lambda: refresh.update(Status="InProgress"),
            "InProgress": lambda: self._replace(refresh, target, "Successful"),
            "RollbackInProgress": lambda: self._replace(refresh, self._number(self.pinned), "RollbackSuccessful"),
            "Cancelling": lambda: refresh.update(Status="Cancelled", StatusReason="Cancelled by the user"),
        }
        if refresh["Status"] in steps and not (self.slow and refresh["Status"] == "InProgress"):
            steps[refresh["Status"]]()

    def _replace(self, refresh: Answer, target: int, end: str) -> None:
        old = [each for each, version in self.machines.items() if version != target and each not in self.skips]
        if target in self.broken:
            back = refresh["Preferences"]["AutoRollback"]
            refresh.update(Status="RollbackInProgress" if back else "Failed", StatusReason="machines did not become healthy")
        elif old:
            del self.machines[old[0]]
            self._fill(target)
            refresh["PercentageComplete"] = 100 - 100 * (len(old) - 1) // len(self.machines)
        else:
            refresh["Status"] = end
            self.pinned = str(target) if end == "Successful" else self.pinned
