"""The driver `aws-asg` with its own rolling replacement, against moto, which has groups, templates and images but no Instance Refresh."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from tests.deployment.aws_region import GROUP, ONE, OTHER_KEY, PAIR, THREE, TWO, Region, asked

from assaymark.deployment.drivers.aws_asg import seal, settings
from assaymark.deployment.drivers.aws_asg.driver import AutoScalingDriver, opened
from assaymark.deployment.drivers.aws_asg.replace import Kind, One, Seen, following
from assaymark.deployment.drivers.driver import Configuration, Driver, DriverFailed, Rehearses, Share, instance_id
from assaymark.errors import UsageError


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> Iterator[Region]:
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # six hundred images, which take longer than a test
    with mock_aws():
        yield Region()


def test_the_driver_is_one(region: Region) -> None:
    driver: Driver = region.driver()
    assert driver.capabilities().rolls
    assert isinstance(driver, Rehearses)


def test_every_machine_is_replaced_by_one_of_the_sealed_image(region: Region) -> None:
    ami, before = region.image(ONE), set(region.running())
    there = region.driver().launch(asked(1, ami, ONE))
    assert [(each.id, each.digest, each.configuration) for each in there] == [
        (instance_id(PAIR, 1, number), ONE, f"sha256:{1:064x}") for number in (1, 2)
    ]
    assert set(region.running().values()) == {ami}
    assert not before & set(region.running())
    group = region.group()
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (1, 2, 2)
    assert group["LaunchTemplate"]["Version"] == "2"
    assert [each["Key"] for each in group["Tags"]] == []


def test_generations_follow_one_another_and_go_back(region: Region) -> None:
    one, two = region.image(ONE), region.image(TWO)
    driver = region.driver()
    first = driver.launch(asked(1, one, ONE))
    driver.launch(asked(2, two, TWO))
    assert set(region.running().values()) == {two}
    assert driver.serving(PAIR) == [Share(2, 100)]
    again = driver.launch(asked(1, one, ONE, again=True))
    assert [each.id for each in again] == [each.id for each in first]
    assert set(region.running().values()) == {one}
    assert region.group()["LaunchTemplate"]["Version"] == "2"  # the version of generation 1 was found again
    driver.shift(PAIR, (Share(1, 100),))
    with pytest.raises(DriverFailed, match="does not serve alone"):
        driver.shift(PAIR, (Share(2, 100),))


def test_a_second_launch_of_the_same_changes_nothing(region: Region) -> None:
    ami, driver = region.image(ONE), region.driver()
    first = driver.launch(asked(1, ami, ONE))
    machines = set(region.running())
    assert driver.launch(asked(1, ami, ONE)) == first
    assert set(region.running()) == machines
    assert len(region.ec2.describe_launch_template_versions(LaunchTemplateId=region.template)["LaunchTemplateVersions"]) == 2


class Killed(KeyboardInterrupt):
    pass


def test_a_killed_launch_goes_on_where_the_cloud_is(region: Region) -> None:
    images = [region.image(f"sha256:{number:064x}") for number in range(1, 6)]
    for number, ami in enumerate(images, 1):
        digest = f"sha256:{number:064x}"
        driver = region.driver()
        _kill_after(driver, number * 6)
        with pytest.raises(Killed):
            driver.launch(asked(number, ami, digest))
        there = region.driver().launch(asked(number, ami, digest))
        assert {each.digest for each in there} == {digest}
        assert set(region.running().values()) == {ami}
        group = region.group()
        assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (1, 2, 2)
    versions = region.ec2.describe_launch_template_versions(LaunchTemplateId=region.template)["LaunchTemplateVersions"]
    assert len(versions) == len(images) + 1


def _kill_after(driver: AutoScalingDriver, calls: int) -> None:
    real, count = driver._cloud.ask, iter(range(calls))

    def ask(service: str, operation: str, **words: Any) -> dict[str, Any]:
        if next(count, None) is None:
            raise Killed
        return real(service, operation, **words)

    driver._cloud.ask = ask  # type: ignore[method-assign]


def test_what_ran_before_the_first_generation_is_nobodys_to_burn(region: Region) -> None:
    assert list(region.driver().list(PAIR)) == []


@pytest.mark.parametrize("forged", ["unsealed", "another key", "another digest", "of another image"])
def test_an_image_that_nobody_who_is_believed_sealed_is_not_launched(region: Region, forged: str) -> None:
    ami = region.image()
    if forged == "another key":
        region.seal(ami, ONE, OTHER_KEY)
    elif forged == "another digest":
        region.seal(ami, TWO)
        region.ec2.create_tags(Resources=[ami], Tags=[{"Key": seal.DIGEST_TAG, "Value": ONE}])
    elif forged == "of another image":
        tags = region.described(region.image(ONE)).tags
        region.ec2.create_tags(Resources=[ami], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    before = region.running()
    with pytest.raises(DriverFailed, match="seal"):
        region.driver().launch(asked(1, ami, ONE))
    assert region.running() == before


def test_an_image_of_another_digest_than_the_endorsed_one_is_not_launched(region: Region) -> None:
    ami = region.image(TWO)
    with pytest.raises(DriverFailed, match="not sha256:1111"):
        region.driver().launch(asked(1, ami, ONE))
    with pytest.raises(DriverFailed, match="does not name"):
        region.driver().launch(asked(1, f"{ami}@{TWO}", ONE))
    region.image(ONE, OTHER_KEY)
    with pytest.raises(DriverFailed, match="no machine image holds sha256:1111") as failed:
        region.driver().launch(asked(1, "web", ONE))
    assert "does not hold" in failed.value.why
    with pytest.raises(DriverFailed, match="is not there"):
        region.driver().launch(asked(1, "ami-0123456789abcdef0", ONE))


def test_an_image_is_found_by_the_digest_in_its_seal_and_stays_the_one_that_is_used(region: Region) -> None:
    forged, ami = region.image(ONE, OTHER_KEY), region.image(ONE)
    driver = region.driver()
    assert {each.digest for each in driver.launch(asked(1, "web", ONE))} == {ONE}
    assert set(region.running().values()) == {ami} != {forged}
    for _ in range(4):
        region.image(ONE)
    driver.launch(asked(1, "web", ONE))
    assert set(region.running().values()) == {ami}


def test_a_seal_that_is_taken_away_leaves_a_machine_without_digest(region: Region) -> None:
    ami = region.image(ONE)
    region.driver().launch(asked(1, ami, ONE))
    region.ec2.delete_tags(Resources=[ami], Tags=[{"Key": seal.SEAL_TAG}])
    driver = region.driver()
    assert {each.digest for each in driver.list(PAIR)} == {""}
    found = driver.observe(PAIR, instance_id(PAIR, 1, 1))
    assert found.digest == ""
    assert found.unseen[0].endswith("sealed by nobody who is believed")


def test_what_is_burnt_is_gone_and_its_number_never_returns(region: Region) -> None:
    ami, driver = region.image(ONE), region.driver()
    driver.launch(asked(1, ami, ONE))
    driver.burn(PAIR, instance_id(PAIR, 1, 1))
    driver.burn(PAIR, instance_id(PAIR, 1, 1))
    assert [each.id for each in driver.list(PAIR)] == [instance_id(PAIR, 1, 2)]
    assert region.group()["DesiredCapacity"] == 1
    assert [each.id for each in driver.launch(asked(1, ami, ONE))] == [instance_id(PAIR, 1, 2), instance_id(PAIR, 1, 3)]


def test_burning_all_of_what_serves_leaves_nothing(region: Region) -> None:
    driver = region.driver()
    there = driver.launch(asked(1, region.image(ONE), ONE))
    driver.shift(PAIR, ())
    for each in there:
        driver.burn(PAIR, each.id)
    assert list(driver.list(PAIR)) == []
    assert region.group()["DesiredCapacity"] == 0


def test_a_machine_that_the_group_made_anew_takes_the_number_of_the_old_one(region: Region) -> None:
    driver = region.driver()
    before = driver.launch(asked(1, region.image(ONE), ONE))
    lost = next(iter(region.running()))
    region.groups.terminate_instance_in_auto_scaling_group(InstanceId=lost, ShouldDecrementDesiredCapacity=False)
    assert [each.id for each in driver.list(PAIR)] == [each.id for each in before]


def test_a_machine_that_somebody_attached_is_told_and_replaced(region: Region) -> None:
    driver = region.driver()
    driver.launch(asked(1, region.image(ONE), ONE))
    region.groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MaxSize=3)
    strange = region.ec2.run_instances(ImageId=region.image(), MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    region.groups.attach_instances(AutoScalingGroupName=GROUP, InstanceIds=[strange])
    (found,) = [each for each in driver.list(PAIR) if not each.generation]
    assert (found.id, found.digest) == (strange, "")
    assert driver.observe(PAIR, strange).changes[0].path == "machine"
    driver.burn(PAIR, strange)
    assert {each.generation for each in driver.list(PAIR)} == {1}


def test_a_configuration_is_in_parameters_and_nowhere_else(region: Region, tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text("listen 8080")
    given = Configuration(ONE, {"MODE": "fast"}, {"PASSWORD": "not to be seen"}, {"/etc/site.conf": str(tmp_path / "site.conf")})
    ami, driver = region.image(ONE), region.driver()
    driver.launch(asked(1, ami, ONE, configuration=given))
    place = f"/assaymark/{instance_id(PAIR, 1, 1).removesuffix('-1')}"
    store = region.client("ssm")
    found = store.get_parameters_by_path(Path=place, Recursive=True, WithDecryption=True)["Parameters"]
    assert {each["Name"].removeprefix(place): (each["Type"], each["Value"]) for each in found} == {
        "/variables/MODE": ("String", "fast"),
        "/secrets/PASSWORD": ("SecureString", "not to be seen"),
        "/files/1": ("SecureString", "/etc/site.conf\nlisten 8080"),
    }
    versions = region.ec2.describe_launch_template_versions(LaunchTemplateId=region.template)["LaunchTemplateVersions"]
    assert "not to be seen" not in str(versions) + str(region.group()) + str(region.ec2.describe_instances())
    driver.launch(asked(1, ami, ONE, configuration=given))
    store.put_parameter(Name=f"{place}/secrets/PASSWORD", Value="mine", Type="SecureString", Overwrite=True)
    for number in (2, 3):
        driver.launch(asked(number, ami, ONE, configuration=Configuration(TWO, {"MODE": "slow"})))
    assert store.get_parameters_by_path(Path=place, Recursive=True)["Parameters"] == []


def test_another_value_under_the_name_of_a_generation_is_an_error(region: Region) -> None:
    store = region.client("ssm")
    place = f"/assaymark/{instance_id(PAIR, 1, 1).removesuffix('-1')}"
    store.put_parameter(Name=f"{place}/secrets/PASSWORD", Value="mine", Type="SecureString")
    with pytest.raises(DriverFailed, match="holds something else"):
        region.driver().launch(asked(1, region.image(ONE), ONE, configuration=Configuration(ONE, {}, {"PASSWORD": "ours"})))


def test_what_does_not_fit_is_said_before_anything_is_asked(region: Region) -> None:
    before = region.running()
    with pytest.raises(DriverFailed, match="does not fit"):
        region.driver().launch(asked(1, region.image(ONE), ONE, configuration=Configuration(ONE, {"BIG": "x" * 5000})))
    assert region.running() == before


def test_tags_that_the_template_gave_machines_stay(region: Region) -> None:
    data = {
        "ImageId": region.image(), "InstanceType": "t3.micro",
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "shop"}]},
            {"ResourceType": "volume", "Tags": [{"Key": "team", "Value": "shop"}]},
        ],
    }  # fmt: skip
    region.ec2.create_launch_template_version(LaunchTemplateId=region.template, LaunchTemplateData=data)
    region.driver().launch(asked(1, region.image(ONE), ONE))
    last = region.ec2.describe_launch_template_versions(LaunchTemplateId=region.template, Versions=["$Latest"])["LaunchTemplateVersions"][0]
    tags = {each["ResourceType"]: {tag["Key"] for tag in each["Tags"]} for each in last["LaunchTemplateData"]["TagSpecifications"]}
    assert tags["volume"] == {"team"}
    assert {"team", "assaymark:generation", "assaymark:digest", "assaymark:parameters"} <= tags["instance"]


def test_a_dry_run_says_each_step_and_changes_nothing(region: Region) -> None:
    ami, before = region.image(ONE), region.running()
    given = Configuration(ONE, {"A": "1"}, {"PASSWORD": "not to be seen"})
    lines = region.driver().rehearsed(asked(1, ami, ONE, configuration=given))
    assert [line.split()[0].rstrip(":") for line in lines] == [
        "PutParameter", "CreateLaunchTemplateVersion", "UpdateAutoScalingGroup", "SetDesiredCapacity", "DescribeInstances",
    ]  # fmt: skip
    assert "not to be seen" not in "".join(lines)
    assert region.running() == before
    assert len(region.ec2.describe_launch_template_versions(LaunchTemplateId=region.template)["LaunchTemplateVersions"]) == 1
    with pytest.raises(DriverFailed, match="nobody sealed"):
        region.driver().rehearsed(asked(1, region.image(), ONE))
    refreshing = region.driver(strategy="refresh", checkpoints="50 100").rehearsed(asked(1, ami, ONE))
    assert any(line.startswith("StartInstanceRefresh web to version N: AutoRollback True") for line in refreshing)


def test_a_group_with_several_templates_is_refused(region: Region) -> None:
    region.groups.create_launch_configuration(LaunchConfigurationName="old", ImageId=region.image(), InstanceType="t3.micro")
    region.groups.create_auto_scaling_group(
        AutoScalingGroupName="old", LaunchConfigurationName="old", MinSize=0, MaxSize=1, VPCZoneIdentifier=region.subnet
    )
    for name, said in (("old", "not made from a launch template"), ("gone", "there is no group")):
        with pytest.raises(DriverFailed, match=said):
            region.driver(group=name).list(PAIR)


def test_a_probe_asks_the_group(region: Region) -> None:
    driver = region.driver()
    (first, _) = driver.launch(asked(1, region.image(ONE), ONE))
    assert driver.probe(PAIR, first.id).ok
    assert driver.probe(PAIR, instance_id(PAIR, 1, 9)).text == "it is gone"
    lost = region.group()["Instances"][0]["InstanceId"]
    region.groups.set_instance_health(InstanceId=lost, HealthStatus="Unhealthy")
    assert sorted(driver.probe(PAIR, each.id).ok for each in driver.list(PAIR)) == [False, True]


# --- the decisions alone ---------------------------------------------------------------------------------------------


@given(
    count=st.integers(1, 6), old=st.integers(0, 8), part=st.integers(0, 5), surge=st.integers(1, 4),
    chances=st.lists(st.integers(0, 3), min_size=0, max_size=60),
)  # fmt: skip
def test_machines_are_replaced_while_enough_answer(count: int, old: int, part: int, surge: int, chances: list[int]) -> None:
    healthy = max(count - part, 1)
    machines = {f"old-{number}": One(f"old-{number}", new=False, serves=True) for number in range(old)}
    desired, born = old, 0
    least = min(healthy, old)
    turns = iter(chances)
    for _ in range(400):
        deed = following(Seen(desired, list(machines.values())), count, healthy, surge)
        if deed.kind is Kind.DONE:
            break
        if deed.kind is Kind.CAPACITY:
            desired = deed.count
        elif deed.kind is Kind.TERMINATE:
            del machines[deed.machine]
            desired -= 1
        answering = sum(each.serves for each in machines.values())
        assert answering >= least
        assert desired <= max(count + surge, old)
        least = max(least, min(healthy, answering))
        for _ in range(next(turns, 1)):  # the cloud takes a step, or several, or none
            if len(machines) < desired:
                born += 1
                machines[f"new-{born}"] = One(f"new-{born}", new=True, serves=False)
            else:
                machines = {name: One(name, each.new, serves=True) for name, each in machines.items()}
            if len(machines) > desired:
                del machines[next(iter(machines))]
    assert desired == count
    assert [each.new and each.serves for each in machines.values()] == [True] * count


def test_machines_that_never_answer_take_nothing_away() -> None:
    machines = [One("old-1", new=False, serves=True), One("old-2", new=False, serves=True), One("new-1", new=True, serves=False)]
    assert following(Seen(3, machines), 2, 2, 1).kind is Kind.WAIT


def test_an_old_machine_that_does_not_answer_goes_first() -> None:
    machines = [One("old-1", new=False, serves=True), One("old-2", new=False, serves=False)]
    assert following(Seen(2, machines), 2, 2, 1).machine == "old-2"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"group": "web", "region": "eu-central-1", "keys": " "},
        {"group": "web", "region": "Frankfurt", "keys": "k"},
        {"group": "web", "region": "eu-central-1", "keys": "k", "endpoint": "http://cloud.example"},
        {"group": "web", "region": "eu-central-1", "keys": "k", "checkpoints": "50 20"},
        {"group": "web", "region": "eu-central-1", "keys": "k", "checkpoints": "0"},
        {"group": "web", "region": "eu-central-1", "keys": "k", "parameters": "x"},
        {"group": "web", "region": "eu-central-1", "keys": "k", "strategy": "blue"},
        {"group": "web", "region": "eu-central-1", "keys": "k", "surge": "0"},
        {"group": "web", "region": "eu-central-1", "keys": "k", "rollout_seconds": "nan"},
        {"group": "web", "region": "eu-central-1", "keys": "k", "min_healthy": "1"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        settings.read(options)


def test_a_driver_is_opened_with_its_keys(tmp_path: Path) -> None:
    (tmp_path / "k.pem").write_text(OTHER_KEY.public.pem)
    given = {"group": "web", "region": "eu-central-1", "keys": str(tmp_path / "k.pem")}
    assert opened(given).capabilities().driver == "aws-asg"
    with pytest.raises(UsageError, match="cannot be read"):
        opened({**given, "keys": str(tmp_path / "none.pem")})


def test_digests_three_ways_are_not_mixed_up() -> None:
    image = seal.MachineImage("ami-1", "1", "eu-central-1", "/dev/sda1", {"/dev/sda1": "snap-1"})
    whole = seal.sentence(image, THREE)
    for other in (
        seal.MachineImage("ami-2", "1", "eu-central-1", "/dev/sda1", {"/dev/sda1": "snap-1"}),
        seal.MachineImage("ami-1", "2", "eu-central-1", "/dev/sda1", {"/dev/sda1": "snap-1"}),
        seal.MachineImage("ami-1", "1", "eu-west-1", "/dev/sda1", {"/dev/sda1": "snap-1"}),
        seal.MachineImage("ami-1", "1", "eu-central-1", "/dev/sdb", {"/dev/sda1": "snap-1"}),
        seal.MachineImage("ami-1", "1", "eu-central-1", "/dev/sda1", {"/dev/sda1": "snap-2"}),
        seal.MachineImage("ami-1", "1", "eu-central-1", "/dev/sda1", {"/dev/sda1": "snap-1", "/dev/sdb": "snap-2"}),
    ):
        assert seal.sentence(other, THREE) != whole
