"""Issue 7, clusters: the drivers kubernetes and aws-asg. Every exchange is held to the published schemas (Kubernetes' OpenAPI description,
botocore's models of the services) or answered by moto; a deployer that is killed at any call to its platform is resumed and leaves one
generation; a dry run shows each step. The API server is the tests' own: no cluster of Kubernetes' and no account of Amazon's is reached.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto import mock_aws
from tests.deployment.aws_region import GROUP, KEY, REGION, Region
from tests.deployment.cluster_phoenix import Kubernetes, Machines, Platform, calls_of_an_upgrade, killed_and_resumed
from tests.deployment.kube_api import KubeApi, deployment
from tests.deployment.kube_https import served
from tests.deployment.kube_schema import OPERATIONS, check_answer, check_call, operation
from tests.deployment.phoenix_sample import ONE, TWO, scratch
from tests.deployment.yard import IMAGE, QUICK, Yard

from assaymark.deployment.drivers.kubernetes import reading

ROOT = Path(__file__).parents[2]
PLATFORMS: dict[str, Callable[[], Platform]] = {
    "a Deployment that rolls": Kubernetes, "two that take turns": lambda: Kubernetes(turns=True), "Instance Refresh": Machines,
}  # fmt: skip


@pytest.mark.parametrize("broken", [False, True], ids=["the new one answers", "the new one never answers"])
@pytest.mark.parametrize("name", PLATFORMS)
def test_a_deployer_killed_at_any_call_to_its_platform_leaves_one_generation(name: str, broken: bool) -> None:
    with scratch() as folder:
        before, after = calls_of_an_upgrade(folder, PLATFORMS[name](), broken=broken)
    wrong = {}
    for at in range(before + 1, after + 1):
        with scratch() as folder:
            found = killed_and_resumed(folder, PLATFORMS[name](), at, broken=broken)
        if found:
            wrong[at - before] = found
    print(f"{name}: killed at each of {after - before} calls, {len(wrong)} wrong")
    assert not wrong


@pytest.fixture
def yard() -> Iterator[Yard]:
    with scratch() as folder:
        yield Yard(folder)


def assay(yard: Yard, *words: str) -> tuple[int, str, str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "HOME": str(yard.folder)}
    command = [
        sys.executable,
        "-c",
        "from assaymark.cli.main import main; main()",
        *words,
        "--terms",
        str(yard.folder / "assay-deploy.toml"),
    ]
    ran = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    return ran.returncode, ran.stdout, ran.stderr


def terms(yard: Yard, driver: str, options: dict[str, str], more: str = "") -> None:
    text = 'state = "state"\n[believe]\ntrust = "pipeline/trust"\nbundles = ["bundles"]\n'
    text += (
        f'[deploy.production.web]\ndriver = "{driver}"\nimage = "{IMAGE}"\n{QUICK.replace("probe_seconds = 1", "probe_seconds = 30")}{more}'
    )
    text += "[deploy.production.web.options]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items())
    text += '[deploy.production.web.configuration]\nvariables = {MODE = "fast"}\nsecrets = {PASSWORD = "file:password"}\n'
    (yard.folder / "password").touch(0o600)
    (yard.folder / "password").write_text("not to be seen\n")
    (yard.folder / "assay-deploy.toml").write_text(text)


@pytest.mark.enable_socket
def test_the_command_deploys_to_a_cluster_over_tls_only_what_is_approved(yard: Yard) -> None:
    api = KubeApi()
    api.add("deployments", deployment("web", {"app": "web"}))
    api.settle()
    with served(api, yard.folder) as kubeconfig:
        terms(yard, "kubernetes", {"kubeconfig": str(kubeconfig), "workload": "deployment/web"}, "min_healthy = 1\n")
        yard.approve(ONE)

        code, out, err = assay(yard, "deploy", "production", "web", ONE, "--dry-run")
        print(out)
        assert code == 0, err
        steps = [line.split()[0] for line in out.splitlines() if line.startswith("    ")]
        assert steps == ["POST", "PATCH", "GET", "GET"], out
        assert "not to be seen" not in out + err
        writes = [call for call, _ in api.exchanges if call.method != "GET"]
        assert writes, "the API server was to judge each change"
        assert all("dryRun=All" in call.path for call in writes)
        assert {each["spec"]["containers"][0]["image"] for each in api.pods()} == {"registry.example/before:1"}

        count = len(api.exchanges)
        code, out, err = assay(yard, "deploy", "production", "web", TWO)
        assert code != 0, out
        assert all(call.method == "GET" for call, _ in api.exchanges[count:]), "what is not approved changed something"

        code, out, err = assay(yard, "deploy", "production", "web", ONE)
        assert code == 0, out + err
        running = [each for each in api.pods() if reading.is_ready(each)]
        assert {each["spec"]["containers"][0]["image"] for each in running} == {f"{IMAGE}@{ONE}"}

        code, out, err = assay(yard, "instances", "production", "web")
        print(out)
        assert code == 0, err
        assert ONE[:19] in out
    seen = Counter(f"{operation(call).method} {operation(call).kind.rpartition('.')[2]}" for call, _ in api.exchanges)
    print(f"{len(api.exchanges)} exchanges, each held to the published description: {dict(seen)}")


def test_recorded_exchanges_fit_the_published_description() -> None:
    from tests.deployment.recording import kubernetes_exchanges  # noqa: PLC0415 - beside what records them

    count = 0
    for call, answer in kubernetes_exchanges():
        check_answer(check_call(call), answer)
        count += 1
    print(f"{count} recorded exchanges fit {len(OPERATIONS)} operations")
    assert count > 40


def test_the_command_deploys_sealed_images_to_a_group_where_moto_is_the_cloud(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    (yard.folder / "bake.pub").write_text(KEY.public.pem)
    with mock_aws():
        region = Region()
        one, forged = region.image(ONE), region.image()
        options = {"group": GROUP, "region": REGION, "strategy": "replace", "keys": str(yard.folder / "bake.pub")}
        terms(yard, "aws-asg", options)
        yard.approve(ONE, TWO)
        said = yard.run("deploy", "production", "web", ONE, "--dry-run")
        print(said.out)
        assert said.code == 0, said.err
        for word in ("PutParameter", "CreateLaunchTemplateVersion", "UpdateAutoScalingGroup", "SetDesiredCapacity", "DescribeInstances"):
            assert word in said.out
        assert set(region.running().values()) == {region.group_image}
        said = yard.deploy(ONE)
        assert (said.code, said.document["outcome"]) == (0, "live"), said.err
        assert set(region.running().values()) == {one}
        region.ec2.create_tags(Resources=[forged], Tags=[{"Key": "assaymark:digest", "Value": TWO}])
        assert yard.deploy(TWO).code != 0, "a tag alone was believed"
        assert set(region.running().values()) == {one}
