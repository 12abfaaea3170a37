"""The files by which the server is installed: hardened, without a password of ours, of settings that exist."""

from __future__ import annotations

import http.server
import inspect
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from assaymark.errors import UsageError
from assaymark.server import health, settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = ["assaymark.service", "assaymark-worker@.service"]
KNOWN = set(re.findall(r"ASSAYMARK_[A-Z0-9_]*[A-Z]", inspect.getdoc(settings) or "")) | {
    "ASSAYMARK_CACHE",
    "ASSAYMARK_ADVISORIES",
    "ASSAYMARK_KEY_FILE",
}
OF_COMPOSE = {"ASSAYMARK_IMAGE", "ASSAYMARK_MEMORY", "ASSAYMARK_CPUS"}


def _read(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8")


def _compose(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(_read(name))
    return loaded


@pytest.mark.parametrize("name", ["Containerfile", "compose.yaml", "compose.s3.yaml", *UNITS])
def test_every_setting_that_is_named_exists(name: str) -> None:
    assert set(re.findall(r"\bASSAYMARK_[A-Z0-9_]*[A-Z]\b", _read(name))) <= KNOWN | OF_COMPOSE


@pytest.mark.parametrize("name", ["compose.yaml", "compose.s3.yaml"])
def test_no_service_has_a_password_of_ours_or_more_rights_than_it_needs(name: str) -> None:
    whole = _compose("compose.yaml")["services"]
    for service, given in _compose(name)["services"].items():
        made = whole.get(service, {}) | given
        assert made["read_only"] is True, service
        assert made["cap_drop"] == ["ALL"], service
        assert "no-new-privileges:true" in made["security_opt"], service
        assert "mem_limit" in made, service
        assert "pids_limit" in made, service
        assert not made["user"].startswith("0"), service
        assert "privileged" not in made, service
        assert not [volume for volume in made["volumes"] if volume.startswith((".", "/"))], service
        for variable, value in made.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY|TOKEN|CREDENTIALS|DATABASE", variable):
                assert variable.endswith("_FILE"), variable
                assert str(value).startswith("/run/secrets/"), variable
        assert all(port.startswith("127.0.0.1:") for port in made.get("ports", ())), service


def test_every_secret_of_compose_is_a_file_that_git_does_not_take() -> None:
    for name in ("compose.yaml", "compose.s3.yaml"):
        assert all(each["file"].startswith("./secrets/") for each in _compose(name)["secrets"].values())
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_image_runs_as_nobody_and_takes_only_what_is_locked() -> None:
    text = _read("Containerfile")
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "10001:10001"
    installs = re.findall(r"pip install ([^&]*)", text)
    assert all("--require-hashes" in each or "--no-deps --no-index" in each for each in installs)
    assert text.rstrip().endswith('CMD ["serve"]')
    taken = (ROOT / ".containerignore").read_text().splitlines()
    assert taken[1] == "*"
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        for each in source.split():
            assert (ROOT / each).exists(), each
            assert f"!{each}" in taken or "!requirements/*.lock" in taken, each


def test_what_builds_the_wheel_is_locked_as_it_is_for_the_tests() -> None:
    def pins(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))

    built = pins("build.lock")
    assert "hatchling" in built
    assert built.items() <= pins("dev.lock").items()


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_valid_and_closed(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NOT PROVED: systemd-analyze is not installed; do this: sudo apt-get install systemd")
    unit = tmp_path / name
    unit.write_text(_read(name).replace("/opt/assaymark/bin/assay", "/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stderr
    # The exposure, in tenths: network, local sockets and the host's root are what a server needs.
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout[-500:]


def test_both_units_are_closed_alike() -> None:
    def closed(name: str) -> str:
        return _read(name).partition("# What it may not")[2]

    assert closed(UNITS[0]) == closed(UNITS[1])


class Answering(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        assert self.path == "/api/v1/health"
        assert self.headers["host"] == "localhost"
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.enable_socket
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_says_whether_the_server_answers(monkeypatch: pytest.MonkeyPatch, status: int, code: int) -> None:
    monkeypatch.setattr(Answering, "status", status)
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setenv("ASSAYMARK_LISTEN", f"0.0.0.0:{server.server_port}")
        assert health.main() == code
        thread.join(10)
    assert health.main() == 1


def test_the_databases_url_can_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    env = {"HOME": str(tmp_path), "ASSAYMARK_DATABASE_FILE": str(file)}
    file.write_text("postgresql://assaymark@db/assaymark\n")
    assert settings.load(env).database == "postgresql://assaymark@db/assaymark"
    assert settings.load(env, database="sqlite:///x").database == "sqlite:///x"
    for text in ("", "a\nb", "a" * 5000):
        file.write_text(text)
        with pytest.raises(UsageError):
            settings.load(env)
    file.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        settings.load(env)
