"""The rules about images: true samples are found, false ones are not, and what is found has the same address after any rebuild."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assaymark.checks.infrastructure.images.image import Image
from assaymark.checks.infrastructure.images.rules import RULES
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.rules import catalogue

QUIET = {"User": "10001"}


def run(dialect: str, data: bytes) -> Outcome:
    ((_, outcome),) = Image().run([Input(sha256(data), Dialect(dialect), (Part("", data),))])
    return outcome


def config(history: list[str] | None = None, **settings: Any) -> bytes:
    steps = [{"created_by": text} for text in history or []]
    return json.dumps({"config": {**QUIET, **settings}, "history": steps, "rootfs": {"type": "layers", "diff_ids": []}}).encode()


def row(path: str, mode: int, kind: str = "file", **fields: Any) -> dict[str, Any]:
    return {"path": path, "kind": kind, "mode": mode, "uid": 0, "gid": 0, "capabilities": False, "size": 1, **fields}


def table(*rows: dict[str, Any], left_behind: dict[str, int] | None = None, more: int = 0) -> bytes:
    return json.dumps({"rows": rows, "left_behind": left_behind or {}, "more": more}).encode()


def found(data: bytes) -> set[tuple[str, str]]:
    outcome = run("image-files" if data.startswith(b'{"rows"') else "image-config", data)
    assert isinstance(outcome, Checked), outcome
    return {(sighting.rule.partition("/")[2], sighting.site.target) for sighting in outcome.sightings}  # type: ignore[union-attr]


RUN = "/bin/sh -c "
KIT = "RUN /bin/sh -c {} # buildkit"
TRUE: list[tuple[str, str, bytes]] = [
    ("root-user", "user", config(User="")),
    ("root-user", "user", config(User="root")),
    ("root-user", "user", config(User="0:0")),
    ("remote-access", "22", config(ExposedPorts={"22/tcp": {}})),
    ("remote-access", "2375", config(ExposedPorts={"2000-3000/tcp": {}})),
    ("runtime-socket", "/var/run/docker.sock", config(Volumes={"/var/run/docker.sock": {}})),
    ("no-healthcheck", "healthcheck", config(ExposedPorts={"8080/tcp": {}})),
    ("no-healthcheck", "healthcheck", config(ExposedPorts={"8080/tcp": {}}, Healthcheck={"Test": ["NONE"]})),
    ("verification-off", "NODE_TLS_REJECT_UNAUTHORIZED", config(Env=["NODE_TLS_REJECT_UNAUTHORIZED=0"])),
    ("verification-off", "PIP_TRUSTED_HOST", config(Env=["PIP_TRUSTED_HOST=pypi.example.org"])),
    ("debug-enabled", "FLASK_DEBUG", config(Env=["FLASK_DEBUG=1"])),
    ("search-path", "PATH: the current folder", config(Env=["PATH=/usr/bin:"])),
    ("search-path", "PATH: node_modules/.bin", config(Env=["PATH=node_modules/.bin:/usr/bin"])),
    ("search-path", "LD_LIBRARY_PATH: /tmp/lib", config(Env=["LD_LIBRARY_PATH=/tmp/lib"])),
    ("search-path", "LD_PRELOAD", config(Env=["LD_PRELOAD=/usr/lib/libx.so"])),
    ("remote-add", "https://example.org/tool-*.tar.gz", config(["ADD https://example.org/tool-1.2.3.tar.gz /opt/ # buildkit"])),
    ("remote-add", "https://example.org/tool", config([RUN + "#(nop) ADD https://example.org/tool in /opt/"])),
    ("remote-script", "https://example.org/install.sh", config([KIT.format("curl -fsSL https://example.org/install.sh | sh")])),
    ("remote-script", "https://example.org/install.sh", config(["|1 V=2 " + RUN + "wget -qO- https://example.org/install.sh | bash"])),
    ("verification-off", "curl --insecure", config([RUN + "curl -k -o /x https://example.org/x"])),
    ("setuid-program", "/usr/local/bin/helper", table(row("usr/local/bin/helper", 0o4755))),
    ("setuid-program", "/usr/bin/sudo", table(row("usr/bin/sudo", 0o4755))),
    ("setgid-program", "/opt/app/tool", table(row("opt/app/tool", 0o2755))),
    ("file-capabilities", "/usr/bin/python3.12", table(row("usr/bin/python3.12", 0o755, capabilities=True))),
    ("world-writable-file", "/etc/app.conf", table(row("etc/app.conf", 0o666))),
    ("world-writable-folder", "/srv/data", table(row("srv/data", 0o777, "folder"))),
    ("device-node", "/opt/disk", table(row("opt/disk", 0o600, "block-device"))),
    ("account-file-rights", "/etc/shadow", table(row("etc/shadow", 0o644))),
    ("account-file-rights", "/etc/sudoers.d/app", table(row("etc/sudoers.d/app", 0o440, uid=1000))),
    ("account-file-rights", "/root/.ssh/authorized_keys", table(row("root/.ssh/authorized_keys", 0o664))),
    ("remote-daemon", "sshd", table(row("usr/sbin/sshd", 0o755))),
    ("package-cache", "apt", table(left_behind={"apt": 20 << 20})),
]
FALSE: list[bytes] = [
    config(),
    config(User="app"),
    config(User="1000:0"),
    config(ExposedPorts={"22/udp": {}, "8080/tcp": {}}, Healthcheck={"Test": ["CMD", "/app", "health"]}),
    config(Volumes={"/data": {}}),
    config(Env=["PATH=/usr/local/bin:/usr/bin", "FLASK_DEBUG=0", "NODE_TLS_REJECT_UNAUTHORIZED=1", "LD_LIBRARY_PATH=/opt/lib:", "EMPTY"]),
    config(["ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://example.org/x /x # buildkit"]),
    config(["ADD app.tar.gz /app # buildkit", "COPY https.txt / # buildkit", RUN + '#(nop)  CMD ["sh"]']),
    config(["ADD https://github.com/example/tool.git#v1 /src # buildkit"]),
    config([KIT.format("curl -fsSLo x https://example.org/x && echo 0000  x | sha256sum -c && chmod +x x && ./x")]),
    table(row("usr/bin/su", 0o4755), row("bin/mount", 0o4755), row("usr/lib/openssh/ssh-keysign", 0o4755)),
    table(row("usr/bin/wall", 0o2755), row("opt/data", 0o2644), row("usr/bin/ping", 0o755, capabilities=True)),
    table(row("tmp", 0o1777, "folder"), row("dev/null", 0o666, "character-device"), row("x", 0o777, "link")),
    table(row("etc/shadow", 0o640, gid=42), row("etc/sudoers", 0o440), row("root/.ssh/authorized_keys", 0o600)),
    table(left_behind={"apt": 1000}),
]


@pytest.mark.parametrize(("rule", "target", "data"), TRUE)
def test_true_sample_is_found(rule: str, target: str, data: bytes) -> None:
    assert (rule, target) in found(data)


@pytest.mark.parametrize("data", FALSE)
def test_false_sample_is_not(data: bytes) -> None:
    assert found(data) == set()


def test_every_rule_has_a_sample_and_its_row_in_the_data() -> None:
    others = {"cleartext-download", "package-check-off", "unverified-program"}  # the shell rules' own tests hold theirs
    assert {rule for rule, _, _ in TRUE} | others == set(RULES)
    rows = {str(rule).partition("/")[2]: info for rule, info in catalogue().rules.items() if rule.startswith("image/")}
    assert {name: (rule.severity, rule.confidence) for name, rule in RULES.items()} == {
        name: (info.severity, info.confidence) for name, info in rows.items()
    }


def test_a_rebuild_changes_no_address() -> None:
    old = config(["ADD https://example.org/tool-1.2.3.tar.gz /opt/ # buildkit", "RUN true"], User="", Labels={"built": "yesterday"})
    new = config(["RUN false", "RUN true", "ADD https://example.org/tool-1.3.0.tar.gz /opt/ # buildkit"], User="", Env=["A=b"])
    assert found(old) == found(new)
    assert found(table(row("a", 0o666), row("b", 0o777))) == found(table(row("b", 0o777, size=9), row("a", 0o666, gid=7)))


def test_one_more_defect_is_one_more_finding() -> None:
    one = table(row("opt/a", 0o4755))
    two = table(row("opt/a", 0o4755), row("opt/b", 0o4755))
    assert found(two) - found(one) == {("setuid-program", "/opt/b")}


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"config": {"User": 7}}', b'{"history": {}}', b"[" * 100_000])
def test_what_is_no_configuration_is_a_gap(data: bytes) -> None:
    outcome = run("image-config", data)
    assert isinstance(outcome, Unchecked)
    assert outcome.reason_class == "schema"


def test_more_than_anyone_would_read_is_a_gap() -> None:
    assert isinstance(run("image-files", table(more=1)), Unchecked)
    assert isinstance(run("image-files", table(*(row(f"f{n}", 0o666) for n in range(2_001)))), Unchecked)
    assert isinstance(run("image-config", config(["RUN true"] * 2_001)), Unchecked)


def test_only_an_image_has_these_names() -> None:
    assert Image().select("image//config.json") == "image-config"
    assert [Image().select(path) for path in ("image/config.json", "config.json", "x/image//config.json", "image//packages/dpkg")] == [
        None
    ] * 4
