"""The driver `kubernetes` against an API server that is held to Kubernetes' published description."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.deployment.kube_api import NAMESPACE, KubeApi, deployment, service, stateful_set

from assaymark.deployment.drivers.driver import Configuration, Driver, DriverFailed, Launch, Pair, Share, instance_id
from assaymark.deployment.drivers.kubernetes import reading, settings
from assaymark.deployment.drivers.kubernetes.client import Answer, Call
from assaymark.deployment.drivers.kubernetes.driver import KubernetesDriver

PAIR = Pair("production", "web")
ONE, TWO, THREE = (f"sha256:{digit * 64}" for digit in "123")
LABELS = {"app": "web"}


class Time:
    """Of the driver alone: it passes when the driver waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def driving(api: KubeApi, **options: str) -> KubernetesDriver:
    time = Time()
    found = settings.read({"workload": "deployment/web", "rollout_seconds": "120", **options})
    return KubernetesDriver(found, api, NAMESPACE, clock=time, sleep=time.sleep)


def asked(generation: int, digest: str, count: int = 2, **more: Any) -> Launch:
    given = more.pop("configuration", Configuration(f"sha256:{generation:064x}"))
    return Launch(PAIR, generation, f"registry.example/web@{digest}", digest, count, given, **more)


@pytest.fixture
def api() -> KubeApi:
    made = KubeApi()
    made.add("deployments", deployment("web", LABELS))
    made.settle()
    return made


def running(api: KubeApi) -> set[str]:
    return {each["spec"]["containers"][0]["image"].partition("@")[2] for each in api.pods() if "deletionTimestamp" not in each["metadata"]}


def test_the_driver_is_one() -> None:
    driver: Driver = driving(KubeApi())
    assert driver.capabilities().rolls
    assert not driver.capabilities().divides


def test_a_launch_returns_when_every_pod_runs_the_digest(api: KubeApi) -> None:
    there = driving(api).launch(asked(1, ONE))
    assert [each.id for each in there] == [instance_id(PAIR, 1, 1), instance_id(PAIR, 1, 2)]
    assert {(each.digest, each.configuration, each.running) for each in there} == {(ONE, f"sha256:{1:064x}", True)}
    assert running(api) == {ONE}


def test_what_ran_before_the_first_generation_is_nobodys_to_burn(api: KubeApi) -> None:
    assert list(driving(api).list(PAIR)) == []


def test_a_second_launch_of_the_same_changes_nothing(api: KubeApi) -> None:
    driver = driving(api)
    first = driver.launch(asked(1, ONE))
    writes = [call for call, _ in api.exchanges if call.method != "GET"]
    assert driver.launch(asked(1, ONE)) == first
    assert [call for call, _ in api.exchanges if call.method != "GET"] == writes


def test_a_killed_launch_goes_on_where_the_cluster_is(api: KubeApi) -> None:
    whole = len(_calls_of_a_launch())
    for number in range(whole):
        fresh = KubeApi()
        fresh.add("deployments", deployment("web", LABELS))
        fresh.settle()
        fresh.before = _killed_at(number)
        with pytest.raises(KeyboardInterrupt):
            driving(fresh).launch(asked(1, ONE, configuration=_configuration()))
        fresh.before = lambda _: None
        there = driving(fresh).launch(asked(1, ONE, configuration=_configuration()))
        assert {each.digest for each in there} == {ONE}
        assert [each.id for each in driving(fresh).list(PAIR)] == [each.id for each in there]
        assert len([name for kind, name in fresh.objects if kind == "secrets"]) == 1


def _configuration() -> Configuration:
    return Configuration("sha256:" + "c" * 64, {"MODE": "fast"}, {"PASSWORD": "not to be seen"})


def _calls_of_a_launch() -> list[Call]:
    fresh = KubeApi()
    fresh.add("deployments", deployment("web", LABELS))
    fresh.settle()
    driving(fresh).launch(asked(1, ONE, configuration=_configuration()))
    return [call for call, _ in fresh.exchanges]


def _killed_at(number: int) -> Callable[[Call], Answer | None]:
    count = iter(range(number + 1))

    def before(_: Call) -> Answer | None:
        if next(count) == number:
            raise KeyboardInterrupt
        return None

    return before


def test_rolling_keeps_as_many_ready_as_are_asked_for(api: KubeApi) -> None:
    driver = driving(api)
    driver.launch(asked(1, ONE, 3))
    least = []

    def before(_: Call) -> Answer | None:
        least.append(sum(map(reading.is_ready, api.pods())))
        return None

    api.before = before
    driver.launch(asked(2, TWO, 3, healthy=3))
    assert min(least) == 3
    least.clear()
    driver.launch(asked(3, THREE, 3, healthy=2))
    assert min(least) >= 2


def test_an_image_that_ends_at_once_fails_with_the_clusters_own_words(api: KubeApi) -> None:
    driver = driving(api)
    driver.launch(asked(1, ONE))
    api.broken.add(TWO)
    with pytest.raises(DriverFailed, match="did not rise") as failed:
        driver.launch(asked(2, TWO))
    assert "CrashLoopBackOff" in failed.value.why
    serving = [each for each in api.pods() if reading.is_ready(each)]
    assert {each["spec"]["containers"][0]["image"].partition("@")[2] for each in serving} == {ONE}


def test_going_back_runs_the_old_digest_with_its_own_configuration(api: KubeApi) -> None:
    driver = driving(api)
    first = driver.launch(asked(1, ONE, configuration=_configuration()))
    api.broken.add(TWO)
    with pytest.raises(DriverFailed):
        driver.launch(asked(2, TWO, configuration=Configuration("sha256:" + "d" * 64, {"OTHER": "1"})))
    again = driver.launch(asked(1, ONE, again=True, configuration=Configuration("sha256:" + "c" * 64)))
    assert {each.id for each in again} == {each.id for each in first}
    driver.shift(PAIR, (Share(1, 100),))
    api.settle()
    assert driver.serving(PAIR) == [Share(1, 100)]
    env = api.pods()[0]["spec"]["containers"][0]["env"]
    assert [each["name"] for each in env] == ["LANG", "MODE", "PASSWORD"]


def test_an_old_generation_whose_secret_is_gone_is_not_run_again(api: KubeApi) -> None:
    driver = driving(api)
    driver.launch(asked(1, ONE, configuration=_configuration()))
    driver.launch(asked(2, TWO))
    for key in [key for key in api.objects if key[0] == "secrets"]:
        del api.objects[key]
    with pytest.raises(DriverFailed, match="cannot run again"):
        driver.launch(asked(1, ONE, again=True, configuration=Configuration("sha256:" + "c" * 64)))


def test_a_runtime_that_tells_another_digest_is_not_believed_to_run_it(api: KubeApi) -> None:
    api.told[ONE] = THREE
    with pytest.raises(DriverFailed, match="not sha256:1111"):
        driving(api).launch(asked(1, ONE))


def test_a_digest_that_a_runtime_tells_under_another_name_is_known_by_its_alias(api: KubeApi) -> None:
    api.told[ONE] = THREE
    there = driving(api, aliases=f"{THREE}={ONE}").launch(asked(1, ONE))
    assert {each.digest for each in there} == {ONE}


@pytest.mark.parametrize("image", ["registry.example/web:1", f"registry.example/web@{TWO}", f"registry.example/web@{ONE} "])
def test_an_image_that_does_not_name_its_digest_is_refused(api: KubeApi, image: str) -> None:
    with pytest.raises(DriverFailed, match="does not name"):
        driving(api).launch(Launch(PAIR, 1, image, ONE, 2, Configuration(ONE)))
    assert all(call.method == "GET" for call, _ in api.exchanges)


# --- configuration -----------------------------------------------------------------------------------------------------


def test_secrets_are_in_one_immutable_secret_and_in_no_workload(api: KubeApi, tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text("listen 8080")
    given = Configuration(ONE, {"MODE": "fast"}, {"PASSWORD": "not to be seen"}, {"/etc/a folder/site.conf": str(tmp_path / "site.conf")})
    driving(api).launch(asked(1, ONE, configuration=given))
    (secret,) = [document for (kind, _), document in api.objects.items() if kind == "secrets"]
    assert secret["immutable"] is True
    assert {key: base64.b64decode(value) for key, value in secret["data"].items()} == {
        "variable.MODE": b"fast", "variable.PASSWORD": b"not to be seen", "file.1": b"listen 8080",
    }  # fmt: skip
    seen = json.dumps([document for (kind, _), document in api.objects.items() if kind != "secrets"])
    assert "not to be seen" not in seen
    container = api.pods()[0]["spec"]["containers"][0]
    assert container["volumeMounts"] == [
        {"name": "assaymark-files", "mountPath": "/etc/a folder/site.conf", "subPath": "file.1", "readOnly": True}
    ]


def test_what_the_older_generation_had_set_is_taken_away_again(api: KubeApi, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    driver = driving(api)
    driver.launch(asked(1, ONE, configuration=Configuration(ONE, {"A": "1", "B": "2"}, {}, {"/f": str(tmp_path / "f")})))
    driver.launch(asked(2, TWO, configuration=Configuration(TWO, {"B": "3"})))
    template = api.of("deployments", "web")["spec"]["template"]["spec"]
    assert [each["name"] for each in template["containers"][0]["env"]] == ["LANG", "B"]
    assert template["containers"][0]["volumeMounts"] == []
    assert template["volumes"] == []


def test_secrets_go_when_their_generation_can_not_be_gone_back_to(api: KubeApi) -> None:
    driver = driving(api)
    for number, digest in enumerate((ONE, TWO, THREE), 1):
        driver.launch(asked(number, digest, configuration=Configuration(digest, {"N": str(number)})))
        api.settle()
    assert sorted(name[-2:] for kind, name in api.objects if kind == "secrets") == ["g2", "g3"]


def test_a_secret_of_somebody_else_is_not_used(api: KubeApi) -> None:
    driver = driving(api)
    driver.launch(asked(1, ONE, configuration=_configuration()))
    (name,) = [name for kind, name in api.objects if kind == "secrets"]
    api.of("secrets", name)["data"]["variable.PASSWORD"] = base64.b64encode(b"mine").decode()
    with pytest.raises(DriverFailed, match="another Secret"):
        driver.launch(asked(1, ONE, 3, configuration=_configuration()))


# --- who is there ------------------------------------------------------------------------------------------------------


def test_a_pod_that_the_platform_replaced_has_the_number_of_the_old_one(api: KubeApi) -> None:
    driver = driving(api)
    before = driver.launch(asked(1, ONE, 3))
    api._end(api.pods()[1])
    api.settle()
    after = driver.list(PAIR)
    assert [each.id for each in after] == [each.id for each in before]
    assert [each.born for each in after] != [each.born for each in before]


def test_what_is_burnt_is_gone_and_its_number_never_returns(api: KubeApi) -> None:
    driver = driving(api)
    driver.launch(asked(1, ONE, 3))
    driver.burn(PAIR, instance_id(PAIR, 1, 2))
    driver.burn(PAIR, instance_id(PAIR, 1, 2))
    api.settle()
    assert [each.id for each in driver.list(PAIR)] == [instance_id(PAIR, 1, 1), instance_id(PAIR, 1, 3)]
    assert api.of("deployments", "web")["spec"]["replicas"] == 2
    there = driver.launch(asked(1, ONE, 3))
    assert [each.id for each in there] == [instance_id(PAIR, 1, number) for number in (1, 3, 4)]


def test_burning_all_of_what_serves_leaves_nothing(api: KubeApi) -> None:
    driver = driving(api)
    there = driver.launch(asked(1, ONE, 3))
    driver.shift(PAIR, ())
    for each in there:
        driver.burn(PAIR, each.id)
    assert list(driver.list(PAIR)) == []
    api.settle()
    assert api.pods() == []


def test_a_pod_with_the_labels_that_nobody_launched_is_told_and_can_be_burnt(api: KubeApi) -> None:
    driver = driving(api)
    driver.launch(asked(1, ONE))
    _stranger(api, "shell")
    (strange,) = [each for each in driver.list(PAIR) if each.generation == 0]
    assert strange.id == "shell"
    driver.burn(PAIR, "shell")
    assert [each.generation for each in driver.list(PAIR)] == [1, 1]


def _stranger(api: KubeApi, name: str) -> None:
    spec = {"containers": [{"name": "sh", "image": "busybox:latest"}]}
    meta = {"name": name, "labels": dict(LABELS)}
    api.add("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Running"}})
    api.settle(3)


def test_a_workload_of_another_pair_is_left_alone(api: KubeApi) -> None:
    driving(api).launch(asked(1, ONE))
    with pytest.raises(DriverFailed, match="belongs to production/web"):
        driving(api).launch(Launch(Pair("staging", "web"), 1, f"registry.example/web@{TWO}", TWO, 1, Configuration(TWO)))
    with pytest.raises(DriverFailed, match="belongs to production/web"):
        driving(api).list(Pair("staging", "web"))


def test_pages_are_read_to_their_end(api: KubeApi) -> None:
    assert len(driving(api).launch(asked(1, ONE, 8))) == 8


def test_shares_are_of_those_that_are_ready_and_make_a_hundred(api: KubeApi) -> None:
    driver = driving(api, rollout_seconds="5")
    driver.launch(asked(1, ONE, 3))
    assert driver.serving(PAIR) == [Share(1, 100)]
    api.broken.add(TWO)
    with pytest.raises(DriverFailed, match="did not rise"):
        driver.launch(asked(2, TWO, 3, healthy=2))
    assert sum(each.percent for each in driver.serving(PAIR)) == 100


def test_a_probe_says_why_a_pod_is_not_ready(api: KubeApi) -> None:
    driver = driving(api)
    (first, *_) = driver.launch(asked(1, ONE))
    assert driver.probe(PAIR, first.id).ok
    api.broken.add(ONE)
    api.settle(3)
    health = driver.probe(PAIR, first.id)
    assert not health.ok
    assert "CrashLoopBackOff" in health.text
    assert not driver.probe(PAIR, instance_id(PAIR, 1, 9)).ok


@pytest.mark.parametrize(("status", "ok"), [(200, True), (204, True), (404, False), (503, False)])
def test_a_pod_is_asked_through_the_api_server_once(api: KubeApi, status: int, ok: bool) -> None:
    (first, *_) = driving(api).launch(asked(1, ONE))
    proxied: list[str] = []

    def send(call: Call) -> Answer:
        if "/proxy/" not in call.path:
            return api(call)
        proxied.append(call.path)
        return Answer(status, b"<html>fine</html>")

    found = settings.read({"workload": "deployment/web", "probe": "8080/healthz?deep=1"})
    health = KubernetesDriver(found, send, NAMESPACE).probe(PAIR, first.id)
    assert (health.ok, len(proxied)) == (ok, 1)
    assert proxied[0].startswith(f"/api/v1/namespaces/{NAMESPACE}/pods/web-")
    assert proxied[0].endswith(":8080/proxy/healthz?deep=1")


def test_a_drain_of_what_is_gone_is_done(api: KubeApi) -> None:
    driver = driving(api)
    driver.launch(asked(1, ONE))
    assert driver.drain(PAIR, instance_id(PAIR, 9, 1), 10)
    assert not driver.drain(PAIR, instance_id(PAIR, 1, 1), 10)


def test_a_share_of_the_traffic_is_refused(api: KubeApi) -> None:
    with pytest.raises(DriverFailed, match="does not divide"):
        driving(api).shift(PAIR, (Share(1, 90), Share(2, 10)))


# --- StatefulSets ------------------------------------------------------------------------------------------------------


@pytest.fixture
def stateful() -> KubeApi:
    made = KubeApi()
    made.add("statefulsets", stateful_set("web", LABELS))
    made.settle()
    return made


def test_a_stateful_set_is_replaced_pod_by_pod(stateful: KubeApi) -> None:
    driver = driving(stateful, workload="statefulset/web")
    there = driver.launch(asked(1, ONE, 3, healthy=2))
    assert [(each.id, each.digest) for each in there] == [(instance_id(PAIR, 1, number), ONE) for number in (1, 2, 3)]
    driver.launch(asked(2, TWO, 3, healthy=2))
    assert running(stateful) == {TWO}


def test_a_stateful_set_does_not_promise_what_it_cannot_keep(stateful: KubeApi) -> None:
    with pytest.raises(DriverFailed, match="cannot keep 3 of 3"):
        driving(stateful, workload="statefulset/web").launch(asked(1, ONE, 3, healthy=3))
    with pytest.raises(DriverFailed, match="cannot keep 3 of 3"):
        driving(stateful, workload="statefulset/web").launch(asked(1, ONE, 3))
    assert driving(stateful, workload="statefulset/web", gap="true").launch(asked(1, ONE, 3, healthy=3))


def test_a_strategy_that_takes_all_away_at_once_is_used_only_when_that_was_said(api: KubeApi) -> None:
    api.of("deployments", "web")["spec"]["strategy"] = {"type": "Recreate"}
    with pytest.raises(DriverFailed, match="cannot keep 1 of 2"):
        driving(api).launch(asked(1, ONE, healthy=1))
    driving(api, gap="true").launch(asked(1, ONE, healthy=1))
    assert api.of("deployments", "web")["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("strategy", [{"type": "OnDelete"}, {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}])
def test_a_stateful_set_that_keeps_old_pods_is_refused(stateful: KubeApi, strategy: Mapping[str, Any]) -> None:
    stateful.of("statefulsets", "web")["spec"]["updateStrategy"] = strategy
    with pytest.raises(DriverFailed, match="does not replace all"):
        driving(stateful, workload="statefulset/web").launch(asked(1, ONE, 3, healthy=2))


# --- two that take turns ---------------------------------------------------------------------------------------------


@pytest.fixture
def colours() -> KubeApi:
    made = KubeApi()
    for colour in ("blue", "green"):
        made.add("deployments", deployment(f"web-{colour}", {**LABELS, "colour": colour}, 2 if colour == "blue" else 0))
    made.add("services", service("web", {**LABELS, "colour": "blue"}))
    made.settle()
    return made


def turning(api: KubeApi, **more: str) -> KubernetesDriver:
    return driving(api, workload="deployment/web-blue deployment/web-green", service="web", **more)


def test_the_new_one_rises_beside_the_old_and_gets_nothing_until_the_service_is_turned(colours: KubeApi) -> None:
    driver = turning(colours)
    assert not driver.capabilities().rolls
    driver.launch(asked(1, ONE))
    assert driver.serving(PAIR) == []  # what ran before has no generation
    driver.shift(PAIR, (Share(1, 100),))
    assert driver.serving(PAIR) == [Share(1, 100)]
    driver.launch(asked(2, TWO))
    assert driver.serving(PAIR) == [Share(1, 100)]
    assert {each.generation for each in driver.list(PAIR)} == {1, 2}
    driver.shift(PAIR, (Share(2, 100),))
    assert driver.serving(PAIR) == [Share(2, 100)]
    for each in driver.list(PAIR):
        if each.generation == 1:
            driver.drain(PAIR, each.id, 1)
            driver.burn(PAIR, each.id)
    assert {each.generation for each in driver.list(PAIR)} == {2}


def test_a_turn_ends_when_the_endpoints_are_the_new_ones_alone(colours: KubeApi) -> None:
    driver = turning(colours)
    driver.launch(asked(1, ONE))
    colours.late = 4
    driver.shift(PAIR, (Share(1, 100),))
    assert colours._slices[0] == colours._slices[-1]
    names = {each["targetRef"]["name"] for each in colours._slices[0][0]["endpoints"]}
    green = {each["metadata"]["name"] for each in colours.pods() if each["metadata"]["labels"]["colour"] == "green"}
    assert names == green


def test_who_serves_is_not_drained(colours: KubeApi) -> None:
    driver = turning(colours)
    driver.launch(asked(1, ONE))
    driver.shift(PAIR, (Share(1, 100),))
    with pytest.raises(DriverFailed, match="is not drained"):
        driver.drain(PAIR, instance_id(PAIR, 1, 1), 1)


def test_a_generation_with_pods_that_are_not_ready_does_not_get_the_traffic(colours: KubeApi) -> None:
    driver = turning(colours)
    driver.launch(asked(1, ONE))
    colours.broken.add(ONE)
    colours.settle(5)
    with pytest.raises(DriverFailed, match="does not get the traffic"):
        driver.shift(PAIR, (Share(1, 100),))
    assert driver.serving(PAIR) == []
    with pytest.raises(DriverFailed, match="is not there"):
        driver.shift(PAIR, (Share(7, 100),))


def test_a_service_that_finds_both_is_refused(colours: KubeApi) -> None:
    colours.of("services", "web")["spec"]["selector"] = dict(LABELS)
    with pytest.raises(DriverFailed, match="finds the pods of both"):
        turning(colours).launch(asked(1, ONE))


def test_nobody_serves_when_no_shares_are_given(colours: KubeApi) -> None:
    driver = turning(colours)
    driver.launch(asked(1, ONE))
    driver.shift(PAIR, (Share(1, 100),))
    driver.shift(PAIR, ())
    assert driver.serving(PAIR) == []
    assert colours._slices[-1][0]["endpoints"] == []


# --- others, and a dry run -----------------------------------------------------------------------------------------


def test_a_change_by_somebody_else_in_between_is_read_before_it_is_patched(api: KubeApi) -> None:
    meddled: list[Call] = []

    def before(call: Call) -> Answer | None:
        if call.method == "PATCH" and not meddled:
            meddled.append(call)
            api.change("deployments", "web", lambda found: found["spec"]["template"]["spec"].update(hostNetwork=False))
        return None

    api.before = before
    assert driving(api).launch(asked(1, ONE))
    assert next(answer.status for call, answer in api.exchanges if call.method == "PATCH") == 409


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(api: KubeApi) -> None:
    busy = iter([429, 503, 500])

    def before(_: Call) -> Answer | None:
        code = next(busy, 0)
        said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "busy"}
        return Answer(code, json.dumps(said).encode(), 1.0) if code else None

    api.before = before
    assert driving(api).list(PAIR) == []
    forbidden = json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "message": "web \x1b[2J is forbidden"})
    api.before = lambda _: Answer(403, forbidden.encode())
    count = len(api.exchanges)
    with pytest.raises(DriverFailed, match="answers 403") as failed:
        driving(api).list(PAIR)
    assert len(api.exchanges) == count + 1
    assert failed.value.why == "web  [2J is forbidden"
    assert "phoenix-kubernetes" in failed.value.advice


def test_a_dry_run_says_each_step_and_changes_nothing(api: KubeApi) -> None:
    before = json.dumps(api.of("deployments", "web")["spec"])
    lines = driving(api).rehearsed(asked(1, ONE, configuration=_configuration()))
    assert [line.split()[0] for line in lines] == ["POST", "PATCH", "GET", "GET"]
    assert ONE in lines[1]
    assert "1 variables, 1 secrets" in lines[0]
    assert "not to be seen" not in "".join(lines)
    assert json.dumps(api.of("deployments", "web")["spec"]) == before
    assert not [key for key in api.objects if key[0] == "secrets"]
    writes = [call for call, _ in api.exchanges if call.method != "GET"]
    assert len(writes) == 2
    assert all("dryRun=All" in call.path for call in writes)


def test_a_dry_run_of_turns_says_whose_selector_is_exchanged(colours: KubeApi) -> None:
    assert turning(colours).rehearsed(asked(1, ONE))[-1].endswith("becomes that of web-green")
