"""Every rule of the compose check finds its true sample and leaves its false one alone."""

from __future__ import annotations

import pytest

from assaymark.checks.infrastructure.workloads.compose import make
from assaymark.checks.infrastructure.workloads.compose_rules import RULES
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import Sighting
from assaymark.model.rules import catalogue

CHECK = make(CheckSettings(cache_dir="", installation_key=Secret(b"k")))
DIGEST = "sha256:" + "0" * 64


def outcome(text: str | bytes) -> Outcome:
    content = text.encode() if isinstance(text, str) else text
    ((_, found),) = CHECK.run([Input(sha256(content), Dialect("compose"), (Part("", content),))])
    return found


def sightings(text: str) -> tuple[Sighting, ...]:
    found = outcome(text)
    assert isinstance(found, Checked), found
    return found.sightings


def rules_of(text: str) -> set[str]:
    return {sighting.rule.removeprefix("compose/") for sighting in sightings(text)}


HARD = {
    "image": f"registry.example/shop:1@{DIGEST}",
    "security_opt": '["no-new-privileges:true"]',
    "cap_drop": "[ALL]",
    "read_only": "true",
    "mem_limit": "1g",
    "pids_limit": "100",
}


def service(**settings: str) -> str:
    """A hardened service, with settings added or, when empty, taken away."""
    rows = {**HARD, **settings}
    return "services:\n  shop:\n" + "".join(f"    {key}: {value}\n" for key, value in rows.items() if value)


GOOD = service()

SAMPLES: list[tuple[str, str, str]] = [
    ("privileged", service(privileged="true"), service(privileged="false")),
    ("privileged", service(build="{context: ., privileged: true}"), service(build="{context: .}")),
    ("host-pid", service(pid="host"), service(pid="'service:a'")),
    ("host-ipc", service(ipc="host"), service(ipc="private")),
    ("host-network", service(network_mode="host"), service(network_mode="bridge")),
    ("host-users", service(userns_mode="host"), GOOD),
    ("host-cgroup", service(cgroup="host"), service(cgroup="private")),
    ("host-uts", service(uts="host"), GOOD),
    (
        "container-socket",
        service(volumes="['/var/run/docker.sock:/var/run/docker.sock:ro']"),
        service(volumes="['data:/var/run/docker.sock.d']"),
    ),
    ("host-path", service(volumes="['/:/host:ro']"), service(volumes="['./etc:/etc', 'etc:/etc', '/etc/localtime:/etc/localtime:ro']")),
    (
        "host-path",
        service(volumes="[{type: bind, source: /etc, target: /e}]"),
        service(volumes="[{type: volume, source: etc, target: /e}]"),
    ),
    ("mount-propagation", service(volumes="['/srv:/srv:rshared']"), service(volumes="['/srv:/srv:rslave']")),
    ("host-device", service(devices="['/dev/sda:/dev/sda']"), service(devices="['/dev/ttyUSB0:/dev/ttyUSB0']")),
    ("capability-added", service(cap_add="[CAP_SYS_ADMIN]"), service(cap_add="[]")),
    ("seccomp-off", service(security_opt="['seccomp:unconfined']"), service(security_opt="['seccomp:profile.json']")),
    ("apparmor-off", service(security_opt="['apparmor=unconfined']"), service(security_opt="['apparmor:own']")),
    ("selinux-off", service(security_opt="['label:disable']"), service(security_opt="['label:type:own']")),
    ("proc-mount", service(security_opt="['systempaths=unconfined']"), GOOD),
    ("escalation-allowed", service(security_opt="['no-new-privileges:false']"), GOOD),
    ("root-user", service(user="'0:0'"), service(user="'10001'")),
    ("escalation-not-forbidden", service(security_opt=""), GOOD),
    ("capabilities-kept", service(cap_drop=""), GOOD),
    ("root-filesystem-writable", service(read_only=""), GOOD),
    ("no-memory-limit", service(mem_limit=""), service(mem_limit="", deploy="{resources: {limits: {memory: 1g}}}")),
    ("no-process-limit", service(pids_limit=""), GOOD),
    ("image-unpinned", service(image="postgres"), service(image="postgres:16")),
    ("image-unpinned", service(image="'a/b:${TAG:-latest}'"), service(image="'a/b:${TAG}'")),
    ("image-without-digest", service(image="postgres:16"), service(image="a:1", build=".")),
    ("build-context-unpinned", service(build="https://github.com/a/b.git#main"), service(build="https://github.com/a/b.git#" + "0" * 40)),
    ("authentication-off", service(environment="[MYSQL_ALLOW_EMPTY_PASSWORD=yes]"), service(environment="[MYSQL_ALLOW_EMPTY_PASSWORD=no]")),
    (
        "authentication-off",
        service(environment="{xpack.security.enabled: 'false'}"),
        service(environment="{xpack.security.enabled: 'true'}"),
    ),
    ("authentication-off", service(command="redis-server --protected-mode no"), service(command="redis-server --appendonly yes")),
    ("authentication-off", service(command="['--api.insecure=true']"), service(command="['--api.insecure=false']")),
    ("verification-off", service(environment="{GIT_SSL_NO_VERIFY: '1'}"), service(environment="{GIT_SSL_NO_VERIFY: '0'}")),
    ("debug-enabled", service(environment="[DJANGO_DEBUG=True]"), service(environment="[DJANGO_DEBUG=False, DEBUG]")),
    ("open-docker", service(environment="[DOCKER_HOST=tcp://dind:2375]"), service(environment="[DOCKER_HOST=tcp://dind:2376]")),
    ("engine-exposed", service(ports="['2375:2375']"), service(ports="['127.0.0.1:2375:2375']")),
    ("remote-access-port", service(ports="['2222:22']"), service(ports="['2222:2222']")),
    ("store-exposed", service(ports="['5432:5432']"), service(ports="['127.0.0.1:5432:5432']")),
    ("store-exposed", service(ports="[{target: 6379, published: 6379}]"), service(ports="[{target: 6379, host_ip: 127.0.0.1}]")),
    ("secret-argument", service(build="{context: ., args: [NPM_TOKEN=$T]}"), service(build="{context: ., args: [VERSION=1]}")),
    ("logging-off", service(logging="{driver: none}"), service(logging="{driver: local}")),
    ("remote-script", service(command="sh -c 'curl https://a.example.org/x | sh'"), service(command="curl https://a.example.org/x | sh")),
    (
        "unverified-program",
        service(command="[sh, -c, 'curl -o t https://a.example.org/t; chmod +x t']"),
        service(command="[sh, -c, 'curl -o t https://a.example.org/t; sha256sum -c s; chmod +x t']"),
    ),
    ("cleartext-download", service(command="[sh, -c, 'wget http://a.example.org/x']"), service(command="[sh, -c, 'wget http://shop/x']")),
    (
        "verification-off",
        service(command="[sh, -c, 'curl -k https://a.example.org']"),
        service(command="[sh, -c, 'curl https://a.example.org']"),
    ),
    ("package-check-off", service(command="[sh, -c, 'apk add --allow-untrusted x']"), service(command="[sh, -c, 'apk add x']")),
    ("host-key-unchecked", service(entrypoint="[sh, -c, 'ssh -o StrictHostKeyChecking=no h']"), service(entrypoint="[sh, -c, 'ssh h']")),
]


def test_every_rule_of_compose_has_a_sample() -> None:
    assert {rule for rule, _, _ in SAMPLES} == set(RULES)


@pytest.mark.parametrize(("rule", "bad", "good"), SAMPLES, ids=[f"{rule}-{n}" for n, (rule, _, _) in enumerate(SAMPLES)])
def test_compose_rule_finds_the_bad_sample_and_leaves_the_good_one(rule: str, bad: str, good: str) -> None:
    assert rule in rules_of(bad)
    assert rule not in rules_of(good)


def test_compose_rules_and_the_shipped_data_say_the_same() -> None:
    shipped = {r.removeprefix("compose/"): info for r, info in catalogue().rules.items() if r.startswith("compose/")}
    assert {n: (i.severity, i.confidence) for n, i in shipped.items()} == {n: (r.severity, r.confidence) for n, r in RULES.items()}


def test_compose_a_hardened_service_is_clean() -> None:
    assert outcome(GOOD) == Checked()


ANCHORS = """x-shared: &shared
  privileged: true
  image: a:1
services:
  one:
    <<: *shared
  two:
    <<: *shared
    pid: host
  three:
    extends: {service: two}
  four:
    extends: two
    privileged: false
"""


def test_compose_what_services_share_is_told_once_where_it_is_written() -> None:
    found = sightings(ANCHORS)
    told = [(each.rule, each.site.resource) for each in found if each.rule in {"compose/privileged", "compose/host-pid"}]  # type: ignore[union-attr]
    assert told == [("compose/privileged", "x-shared"), ("compose/host-pid", "two")]
    images = [each.site.resource for each in found if each.rule == "compose/image-without-digest"]  # type: ignore[union-attr]
    assert images == ["x-shared"]


def test_compose_an_override_is_not_blamed_for_what_it_does_not_say() -> None:
    assert outcome("services:\n  shop:\n    environment: [A=b]\n") == Checked()
    assert outcome("services:\n  shop:\n    extends: {file: other.yaml, service: shop}\n") == Checked()


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b"services:\n  a: [\n", "syntax", 3),
        (b"- a\n", "schema", 1),
        (b"a: b\n\xff: c\n", "encoding", 2),
        (b"x: " + b"[" * 1000 + b"]" * 1000, "size", 1),
        (b"a: b\n" * 1_000_000, "size", 0),
        (b"services:\n  a:\n    cap_add: [" + b"SYS_ADMIN," * 3_000 + b"]\n", "size", 0),
    ],
    ids=["open-bracket", "list-of-services", "latin-1", "thousand-deep", "five-megabytes", "flaw-flood"],
)
def test_compose_what_cannot_be_read_is_unchecked_with_its_line(content: bytes, reason: str, line: int) -> None:
    found = outcome(content)
    assert isinstance(found, Unchecked), found
    assert (found.reason_class, found.line) == (reason, line), found


def test_compose_billion_laughs_and_circles_cost_what_they_weigh() -> None:
    bomb = "x-0: &a0 {image: a}\n" + "".join(f"x-{i + 1}: &a{i + 1} {{<<: [{', '.join([f'*a{i}'] * 9)}]}}\n" for i in range(60))
    assert isinstance(outcome(bomb + "services:\n  s: *a60\n"), Checked)
    assert isinstance(outcome("services:\n  a: &a {extends: b, <<: *a, image: x}\n  b: {extends: a}\n"), Checked)


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        ("compose.yaml", True),
        ("docker-compose.yml", True),
        ("a/docker-compose.override.yml", True),
        ("a/docker-compose-dev.yaml", True),
        ("dev.compose.yml", True),
        ("decompose.yml", False),
        ("composer.yml", False),
        ("compose.json", False),
    ],
)
def test_compose_files_are_selected_by_name(path: str, selected: bool) -> None:
    assert (CHECK.select(path) is not None) == selected
