"""The driver `aws-asg` with Instance Refresh: each call and answer is held to botocore's model of the service."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from tests.deployment.aws_refreshing import TEMPLATE, Refreshing
from tests.deployment.aws_region import GROUP, ONE, PAIR, TWO, asked, client_of, driving

from assaymark.deployment.drivers.aws_asg import refresh, settings
from assaymark.deployment.drivers.aws_asg.group import Machine, Member, Version
from assaymark.deployment.drivers.aws_asg.observing import observed
from assaymark.deployment.drivers.aws_asg.seal import MachineImage
from assaymark.deployment.drivers.driver import Change, DriverFailed, Share, instance_id
from assaymark.model.assessment import Instant

FIRST, SECOND = "ami-11111111", "ami-22222222"


@pytest.fixture
def cloud() -> Refreshing:
    made = Refreshing()
    made.image(FIRST, ONE)
    made.image(SECOND, TWO)
    return made


def test_a_refresh_goes_to_a_numbered_version_and_can_be_taken_back(cloud: Refreshing) -> None:
    there = driving(cloud, checkpoints="50 100", warmup="30").launch(asked(1, FIRST, ONE, healthy=1))
    assert [(each.id, each.digest) for each in there] == [(instance_id(PAIR, 1, 1), ONE), (instance_id(PAIR, 1, 2), ONE)]
    assert cloud.asked_for == [
        "create_launch_template_version", "update_auto_scaling_group", "start_instance_refresh", "create_tags", "create_tags",
    ]  # fmt: skip
    assert cloud.of("update_auto_scaling_group")["LaunchTemplate"] == {"LaunchTemplateId": TEMPLATE, "Version": "2"}
    started = cloud.of("start_instance_refresh")
    assert started == {
        "AutoScalingGroupName": GROUP,
        "Strategy": "Rolling",
        "DesiredConfiguration": {"LaunchTemplate": {"LaunchTemplateId": TEMPLATE, "Version": "2"}},
        "Preferences": {
            "MinHealthyPercentage": 50, "MaxHealthyPercentage": 150, "SkipMatching": True, "AutoRollback": True, "InstanceWarmup": 30,
            "ScaleInProtectedInstances": "Refresh", "StandbyInstances": "Terminate", "CheckpointPercentages": [50, 100],
            "CheckpointDelay": 300,
        },
    }  # fmt: skip
    assert "$" not in str([given for _, given in cloud.calls if "DesiredConfiguration" in given or "SourceVersion" in given])


def test_generations_follow_one_another_without_touching_the_template_of_before(cloud: Refreshing) -> None:
    driver = driving(cloud)
    driver.launch(asked(1, FIRST, ONE))
    driver.launch(asked(2, SECOND, TWO))
    assert (cloud.pinned, driver.serving(PAIR)) == ("3", [Share(2, 100)])
    assert [each["LaunchTemplateData"]["ImageId"] for each in cloud.versions] == ["ami-00000000", FIRST, SECOND]
    driver.launch(asked(1, FIRST, ONE, again=True))
    assert (cloud.pinned, len(cloud.versions)) == ("2", 3)


def test_a_refresh_that_fails_is_taken_back_by_the_cloud_and_told(cloud: Refreshing) -> None:
    driver = driving(cloud)
    driver.launch(asked(1, FIRST, ONE))
    cloud.broken.add(3)
    with pytest.raises(DriverFailed, match="ended as RollbackSuccessful") as failed:
        driver.launch(asked(2, SECOND, TWO))
    assert failed.value.why == "machines did not become healthy"
    assert driver.serving(PAIR) == [Share(1, 100)]
    count = len(cloud.refreshes)
    assert {each.digest for each in driver.launch(asked(1, FIRST, ONE, again=True))} == {ONE}
    assert len(cloud.refreshes) == count  # everything is as it was: nothing to refresh


def test_without_taking_back_it_fails_and_the_deployer_goes_back(cloud: Refreshing) -> None:
    driver = driving(cloud, rollback="false")
    driver.launch(asked(1, FIRST, ONE))
    cloud.broken.add(3)
    with pytest.raises(DriverFailed, match="ended as Failed"):
        driver.launch(asked(2, SECOND, TWO))
    assert {each.digest for each in driver.launch(asked(1, FIRST, ONE, again=True))} == {ONE}


def test_a_killed_launch_watches_the_refresh_that_it_began(cloud: Refreshing) -> None:
    cloud.slow = True
    with pytest.raises(DriverFailed, match="is not done"):
        driving(cloud).launch(asked(1, FIRST, ONE))
    cloud.slow = False
    driving(cloud).launch(asked(1, FIRST, ONE))
    assert cloud.asked_for.count("start_instance_refresh") == 1
    assert cloud.asked_for.count("create_launch_template_version") == 1


def test_a_refresh_under_way_is_taken_back_when_the_old_one_is_wanted_again(cloud: Refreshing) -> None:
    driver = driving(cloud)
    driver.launch(asked(1, FIRST, ONE))
    cloud.slow = True
    with pytest.raises(DriverFailed, match="is not done"):
        driver.launch(asked(2, SECOND, TWO))
    cloud.slow = False
    assert {each.digest for each in driver.launch(asked(1, FIRST, ONE, again=True))} == {ONE}
    assert cloud.asked_for.count("rollback_instance_refresh") == 1
    assert cloud.asked_for.count("start_instance_refresh") == 2


def test_a_refresh_under_way_to_something_else_is_cancelled_first(cloud: Refreshing) -> None:
    driver = driving(cloud)
    driver.launch(asked(1, FIRST, ONE))
    cloud.slow = True
    with pytest.raises(DriverFailed, match="is not done"):
        driver.launch(asked(2, SECOND, TWO))
    cloud.slow = False
    third = cloud.image("ami-33333333", "sha256:" + "3" * 64)
    there = driver.launch(asked(3, third, "sha256:" + "3" * 64))
    assert {each.digest for each in there} == {"sha256:" + "3" * 64}
    assert cloud.asked_for.count("cancel_instance_refresh") == 1


def test_a_machine_that_a_successful_refresh_left_out_is_not_believed(cloud: Refreshing) -> None:
    cloud.skips.add(next(iter(cloud.machines)))
    with pytest.raises(DriverFailed, match="was left out"):
        driving(cloud).launch(asked(1, FIRST, ONE))


def test_a_group_has_as_many_machines_as_are_asked_for(cloud: Refreshing) -> None:
    assert len(driving(cloud).launch(asked(1, FIRST, ONE, 4))) == 4
    assert cloud.sizes == [1, 4, 4]


@pytest.mark.parametrize(
    ("count", "healthy", "surge", "least", "most"), [(1, 0, 1, 100, 200), (2, 1, 1, 50, 150), (3, 3, 1, 100, 134), (4, 1, 8, 25, 125)]
)
def test_care_is_counted_as_the_cloud_counts_it(count: int, healthy: int, surge: int, least: int, most: int) -> None:
    found = settings.read({"group": "g", "region": "eu-west-1", "keys": "k", "surge": str(surge)})
    said = refresh.preferences(asked(1, FIRST, ONE, count, healthy=healthy), found)
    assert (said["MinHealthyPercentage"], said["MaxHealthyPercentage"]) == (least, most)


def test_the_model_of_the_service_finds_a_misspelt_name(cloud: Refreshing) -> None:
    with pytest.raises(ParamValidationError, match="Unknown parameter in input"):
        client_of("ec2").describe_images(ImageIDs=[FIRST])
    cloud.__dict__["_cancel_instance_refresh"] = lambda _: {"RefreshId": "x"}
    with pytest.raises(ParamValidationError, match="Unknown parameter"):
        cloud.ask("autoscaling", "cancel_instance_refresh", AutoScalingGroupName=GROUP)


# --- what a sensor sees ----------------------------------------------------------------------------------------------

WANTED: dict[str, Any] = {
    "ImageId": FIRST, "SecurityGroupIds": ["sg-1"], "IamInstanceProfile": {"Arn": "arn:aws:iam::1:instance-profile/web"},
    "MetadataOptions": {"HttpTokens": "required"},
}  # fmt: skip
NOW: dict[str, Any] = {
    "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}], "IamInstanceProfile": {"Arn": "arn:aws:iam::1:instance-profile/web"},
    "MetadataOptions": {"HttpTokens": "required"}, "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-1"}}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({}, ()),
        ({"SecurityGroups": [{"GroupId": "sg-1"}, {"GroupId": "sg-9"}]}, (("machine/security-groups/sg-9", "added"),)),
        ({"SecurityGroups": []}, (("machine/security-groups/sg-1", "removed"),)),
        ({"IamInstanceProfile": {"Arn": "arn:aws:iam::1:instance-profile/admin"}}, (("machine/role", "changed"),)),
        ({"IamInstanceProfile": None}, (("machine/role", "changed"),)),
        ({"MetadataOptions": {"HttpTokens": "optional"}}, (("machine/metadata-service/HttpTokens", "changed"),)),
    ],
)
def test_what_was_changed_on_a_machine_is_told(change: dict[str, Any], seen: tuple[tuple[str, str], ...]) -> None:
    found = observed("i", _machine({**NOW, **change}), _version(), _image(), ONE)
    assert tuple((each.path, each.kind) for each in found.changes) == seen
    assert found.unseen == ()


def test_a_disk_that_was_attached_is_told() -> None:
    disks = [*NOW["BlockDeviceMappings"], {"DeviceName": "/dev/sdf", "Ebs": {"VolumeId": "vol-9"}}]
    assert observed("i", _machine({**NOW, "BlockDeviceMappings": disks}), _version(), _image(), ONE).mounts == ("disk vol-9 at /dev/sdf",)


def test_a_machine_of_another_image_is_told_even_where_its_version_is_right() -> None:
    found = observed("i", _machine(NOW, SECOND), _version(), _image(), TWO)
    assert found.changes == (Change("machine/image", "changed", f"{SECOND} and not {FIRST}"),)


def _machine(described: dict[str, Any], ami: str = FIRST) -> Machine:
    return Machine(Member("i-1", "InService", healthy=True, version="2"), 1, 1, ami, Instant(1), "", "sha256:c", described)


def _version() -> Version:
    return Version(2, 1, ONE, "sha256:c", FIRST, WANTED)


def _image() -> MachineImage:
    return MachineImage(FIRST, "1", "eu-central-1", "/dev/xvda", {"/dev/xvda": "snap-1"})
