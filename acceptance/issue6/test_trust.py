"""Trust reaches a site: by a server's address and by one tar; what stands in between is refused; too old is closed. With real programs.

A server runs as a process of its own, the site is the command line, a token is SoftHSM's.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.endorsement.tokens import start

from assaymark.endorsement import keys
from assaymark.endorsement.distribution import roots
from assaymark.endorsement.distribution.roots import RoleKeys
from assaymark.errors import SignatureInvalid
from assaymark.jobs.job import clock

ASSAY = (sys.executable, "-c", "from assaymark.cli.main import main; main()")
pytestmark = pytest.mark.enable_socket


class Machine:
    """A server with its data, and sites beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = folder / "server"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}", "--workers", "1"]
        env = os.environ | {"HOME": str(self.folder)}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*ASSAY, *words], env=env, stdout=log, stderr=log)
        for _ in range(300):
            try:
                self.get("/api/v1/health")
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise AssertionError((self.folder / "log").read_text()[-3000:])

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            data: bytes = answer.read()
            return data

    def run(self, *words: str, code: int = 0, given: Mapping[str, str] | None = None) -> str:
        env = os.environ | {"HOME": str(self.folder), "ASSAYMARK_TRUST": str(self.folder / "site")} | dict(given or {})
        done = subprocess.run([*ASSAY, *words], env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    made.start()
    yield made
    made.stop()


def fingerprint(machine: Machine) -> str:
    machine.get("/api/v1/trust/archive")  # publishes, where nothing was yet
    told = machine.run("trust", "init", "--from", machine.url, code=2)
    found = re.search(r"sha256:[0-9a-f]{64}", told)
    assert found is not None
    assert not (machine.folder / "site").exists(), "it trusted what nobody vouched for"
    return found[0]


def test_a_site_follows_a_server_by_its_address(machine: Machine) -> None:
    mark = fingerprint(machine)
    machine.run("trust", "init", "--from", machine.url, "--fingerprint", mark)
    assert "fresh" in machine.run("trust", "update")
    machine.run("trust", "key", "rotate", "--data", str(machine.data), "--url", machine.url, "--comment", "first")
    for _ in range(60):  # a worker publishes what changed, and says when
        told = machine.run("trust", "update")
        if "1 roots, 1 keys" in told:
            return
        time.sleep(0.5)
    raise AssertionError(told)


def test_a_site_without_a_network_is_brought_one_tar(machine: Machine) -> None:
    mark = fingerprint(machine)
    tar, root = machine.folder / "trust.tar", machine.folder / "root.json"
    tar.write_bytes(machine.get("/api/v1/trust/archive"))
    root.write_bytes(machine.get("/trust/root.json"))
    machine.stop()
    machine.run("trust", "init", "--root", str(root), "--fingerprint", mark)
    cut = machine.folder / "cut.tar"
    cut.write_bytes(tar.read_bytes()[:5120])
    assert "cut short" in machine.run("trust", "import", str(cut), code=2)
    changed = machine.folder / "changed.tar"
    changed.write_bytes(tar.read_bytes().replace(b'"roots":[', b'"roots" [', 1))
    assert changed.read_bytes() != tar.read_bytes()
    assert "not what was signed" in machine.run("trust", "import", str(changed), code=2)
    assert "fresh" in machine.run("trust", "import", str(tar))
    assert "every signature holds" in machine.run("trust", "verify")
    assert "fresh" in machine.run("trust", "show")


def test_a_root_of_somebody_else_is_refused(machine: Machine) -> None:
    fingerprint(machine)
    told = machine.run("trust", "init", "--from", machine.url, "--fingerprint", "sha256:" + "0" * 64, code=2)
    assert "another root" in told


def test_two_people_sign_a_root_each_on_his_own_machine(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "pass").write_text(secrets.token_hex(12))
    (tmp_path / "pass").chmod(0o600)
    given = {"ASSAYMARK_SIGNER_PASSPHRASE_FILE": str(tmp_path / "pass")}
    for name in ("anna.pem", "ben.pem"):
        machine.run("trust", "key", "new", str(tmp_path / name), given=given)
        assert b"ENCRYPTED" in (tmp_path / name).read_bytes()
    owners = tuple(keys.public_key((tmp_path / f"{name}.pem.pub").read_bytes()) for name in ("anna", "ben"))
    online = keys.new_key("ed25519")[1]
    draft = roots.first({"root": RoleKeys(owners, 2)} | {role: RoleKeys((online,)) for role in roots.ONLINE}, clock())
    (tmp_path / "root.json").write_bytes(draft)
    first = machine.run("trust", "root", "sign", str(tmp_path / "root.json"), "--signer", f"file:{tmp_path / 'anna.pem'}", given=given)
    assert "1 of the 2" in first
    with pytest.raises(SignatureInvalid, match="missing"):
        roots.check((tmp_path / "root.json").read_bytes(), None)
    machine.run("trust", "root", "sign", str(tmp_path / "root.json"), "--signer", f"file:{tmp_path / 'ben.pem'}", given=given)
    roots.check((tmp_path / "root.json").read_bytes(), None)
    assert machine.run("trust", "root", "show", str(tmp_path / "root.json")).count("(signed)") == 2


def test_a_token_signs(tmp_path: Path) -> None:
    address = start(tmp_path).make("acceptance")
    told = Machine(tmp_path).run("trust", "key", "show", address, given={"SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf")})
    assert told.startswith("SHA256:")
    assert "BEGIN PUBLIC KEY" in told
