"""What a sensor sees of pods: digests that runtimes tell, what was put in, what was edited, and what it cannot see."""

from __future__ import annotations

from typing import Any

import pytest
from tests.deployment.kube_api import KubeApi, deployment
from tests.deployment.test_kubernetes_driver import LABELS, ONE, PAIR, THREE, asked, driving

from assaymark.deployment.drivers.driver import DriverFailed, Observation, instance_id
from assaymark.deployment.drivers.kubernetes import reading
from assaymark.deployment.drivers.kubernetes.driver import KubernetesDriver

FIRST = instance_id(PAIR, 1, 1)


@pytest.fixture
def api() -> KubeApi:
    made = KubeApi()
    made.add("deployments", deployment("web", LABELS))
    made.settle()
    return made


@pytest.fixture
def driver(api: KubeApi) -> KubernetesDriver:
    made = driving(api, restarts="2")
    made.launch(asked(1, ONE))
    return made


def seen(driver: KubernetesDriver) -> Observation:
    return driver.observe(PAIR, FIRST)


def paths(found: Observation) -> list[str]:
    return [each.path for each in found.changes]


def first(api: KubeApi) -> dict[str, Any]:
    return next(each for each in api.pods() if each["metadata"]["annotations"].get(reading.NUMBER) == "1")


def test_a_pod_that_is_as_it_was_launched_has_no_changes(driver: KubernetesDriver) -> None:
    found = seen(driver)
    assert (found.digest, found.configuration) == (ONE, f"sha256:{1:064x}")
    assert (found.changes, found.processes, found.mounts) == ((), (), ())
    assert found.born > 0
    assert found.unseen == ()


def test_an_image_that_was_exchanged_in_a_running_pod_is_told_by_its_digest(api: KubeApi, driver: KubernetesDriver) -> None:
    first(api)["spec"]["containers"][0]["image"] = f"registry.example/evil@{THREE}"
    api.settle(2)
    found = seen(driver)
    assert found.digest == THREE
    assert paths(found) == ["pod/containers/web/image"]


def test_a_template_that_somebody_edited_is_told_with_who_it_was(api: KubeApi, driver: KubernetesDriver) -> None:
    def edit(found: dict[str, Any]) -> None:
        found["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "DEBUG", "value": "1"})

    api.change("deployments", "web", edit, "kubectl-edit")
    found = driver.observe(PAIR, FIRST)
    (change,) = [each for each in found.changes if each.path == "workload/template"]
    assert "kubectl-edit" in change.detail


def test_a_debugger_that_was_put_into_a_pod_is_told(api: KubeApi, driver: KubernetesDriver) -> None:
    first(api)["spec"]["ephemeralContainers"] = [{"name": "debugger-x", "image": "busybox:latest", "command": ["sh"]}]
    assert seen(driver).processes == ("ephemeral container debugger-x: busybox:latest sh",)


def test_a_container_by_tag_that_was_put_in_is_told_unless_it_is_a_known_sidecar(api: KubeApi, driver: KubernetesDriver) -> None:
    first(api)["spec"]["containers"].append(
        {"name": "proxy", "image": "mesh/proxy:1.20", "volumeMounts": [{"name": "m", "mountPath": "/m"}]}
    )
    first(api)["spec"]["volumes"].append({"name": "m", "emptyDir": {}})
    api.settle(2)
    found = seen(driver)
    assert paths(found) == ["pod/containers/proxy", "pod/containers/proxy/tag"]
    assert "names no digest; sha256:" in found.changes[1].detail
    assert found.mounts == ("volume m (emptyDir)",)
    known = driving(api, sidecars="proxy").observe(PAIR, FIRST)
    assert (known.changes, known.mounts) == ((), ())


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [("hostNetwork", True, "pod/hostNetwork"), ("hostPID", True, "pod/hostPID"), ("serviceAccountName", "admin", "pod/serviceAccountName")],
)
def test_more_power_than_the_template_gives_is_told(api: KubeApi, driver: KubernetesDriver, field: str, value: Any, path: str) -> None:
    first(api)["spec"][field] = value
    assert paths(seen(driver)) == [path]


def test_a_volume_that_nobody_asked_for_is_told(api: KubeApi, driver: KubernetesDriver) -> None:
    first(api)["spec"]["volumes"].append({"name": "root", "hostPath": {"path": "/"}})
    assert seen(driver).mounts == ("volume root (hostPath)",)


def test_restarts_are_told_when_there_are_too_many(api: KubeApi, driver: KubernetesDriver) -> None:
    status = first(api)["status"]["containerStatuses"][0]
    api.late = 0
    pod = first(api)

    def restarted(count: int) -> Observation:
        workload = api.of("deployments", "web")
        told = {**pod, "status": {**pod["status"], "containerStatuses": [_ended(status, count)]}}
        return observed(FIRST, told, workload, driver._settings, ONE)

    from assaymark.deployment.drivers.kubernetes.observing import observed  # noqa: PLC0415

    assert restarted(2).changes == ()
    (change,) = restarted(3).changes
    assert (change.path, change.detail) == ("pod/containers/web/restarts", "3 times, last ended by OOMKilled")


def _ended(status: dict[str, Any], count: int) -> dict[str, Any]:
    return {**status, "restartCount": count, "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}


def test_a_root_file_system_that_can_be_written_is_unseen_and_not_unchanged(api: KubeApi) -> None:
    api.change("deployments", "web", lambda found: found["spec"]["template"]["spec"]["containers"][0].pop("securityContext"))
    driver = driving(api)
    driver.launch(asked(1, ONE))
    assert [each.partition(":")[0] for each in seen(driver).unseen] == ["changes"]


def test_a_pod_with_our_labels_that_nobody_launched_says_so(api: KubeApi, driver: KubernetesDriver) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shell", "labels": dict(LABELS)}, "status": {"phase": "Running"}}
    api.add("pods", {**pod, "spec": {"containers": [{"name": "sh", "image": "busybox:latest"}]}})
    found = driver.observe(PAIR, "shell")
    assert paths(found) == ["pod", "pod/containers/sh/tag"]
    assert found.configuration == ""


def test_what_is_not_there_is_not_observed(driver: KubernetesDriver) -> None:
    with pytest.raises(DriverFailed, match="is not there"):
        driver.observe(PAIR, instance_id(PAIR, 9, 9))


@pytest.mark.parametrize(
    ("told", "digest"),
    [
        (f"docker.io/library/nginx@{ONE}", ONE),  # containerd
        (f"registry.example:5000/a/b@{ONE}", ONE),
        (f"docker-pullable://nginx@{ONE}", ONE),  # cri-dockerd
        (f"docker://{ONE}", ONE),
        (ONE, ONE),  # an image that was loaded and never pulled: the digest of its configuration
        ("", ""),
        ("nginx:1.27", ""),
        (f"nginx@{ONE}0", ""),
        (f"nginx@{ONE.upper()}", ""),
        (f"nginx{ONE}", ""),
    ],
)
def test_digests_are_read_as_runtimes_write_them(told: str, digest: str) -> None:
    assert reading.digest_in(told) == digest


@pytest.mark.parametrize(
    "document",
    [{"spec": []}, {"spec": {"containers": {}}}, {"spec": {"containers": ["web"]}}, {"spec": {"containers": [{"name": 7}]}}],
)
def test_an_answer_of_another_shape_is_an_error_and_never_nothing(document: dict[str, Any]) -> None:
    with pytest.raises(DriverFailed, match="shape"):
        reading.container_name(document, "web")
