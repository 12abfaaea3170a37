"""`assay deploy`, `rollback`, `instances`, `phoenix`, `breakglass`: what they do, say and end with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from tests.deployment.folder_platform import FolderPlatform
from tests.deployment.phoenix_sample import FOUR, ONE, THREE, TWO
from tests.deployment.yard import PAIR, Yard
from tests.listening import listening

from assaymark.cli.main import cli
from assaymark.deployment.drivers import opening
from assaymark.deployment.drivers.driver import instance_id
from assaymark.deployment.phoenix.generation import State


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    monkeypatch.setattr(opening, "DRIVERS", opening.DRIVERS)  # as it is now, it is put back
    return Yard(tmp_path)


def test_what_is_approved_is_deployed_and_what_is_not_is_not(yard: Yard) -> None:
    yard.approve(ONE)
    said = yard.deploy(ONE)
    found = said.document
    assert (said.code, found["outcome"], found["generation"]["state"]) == (0, "live", "live")
    assert found["generation"]["live_since"].endswith("Z")
    assert [each["state"] for each in found["steps"]] == [
        "wanted", "verified", "launched", "healthy", "shifted", "soaked", "live",
    ]  # fmt: skip
    assert yard.deploy(TWO).code == 5
    yard.approve(TWO, verified_levels=())
    yard.write('levels = ["ORG_QUALITY_APPROVED"]\n')
    said = yard.deploy(TWO)
    assert (said.code, said.document["outcome"]) == (1, "refused")
    assert "level-missing" in said.document["generation"]["reason"]
    assert yard.serving() == [1]


@pytest.mark.parametrize("word", ["latest", "registry.example/shop/web:1", "sha256:12", f"x@{ONE}@{ONE}", "md5:" + "1" * 32])
def test_only_a_digest_is_deployed(yard: Yard, word: str) -> None:
    said = yard.deploy(word)
    assert (said.code, "digest" in said.err) == (2, True)
    assert not yard.journal.steps


def test_the_same_again_does_nothing_unless_it_is_asked_for(yard: Yard) -> None:
    yard.approve(ONE)
    yard.deploy(ONE)
    assert yard.deploy(ONE).document["outcome"] == "kept"
    assert yard.deploy(ONE, "--again").document["generation"]["number"] == 2


def test_a_rehearsal_shows_each_step_and_does_none(yard: Yard) -> None:
    yard.approve(ONE, TWO)
    yard.deploy(ONE)
    before = {path: path.read_bytes() for path in yard.folder.rglob("*") if path.is_file()}
    yard.write("canary = [20]\n")
    said = yard.deploy(TWO, "--dry-run")
    assert (said.code, said.document["outcome"]) == (0, "planned")
    plan = [line.strip() for line in said.document["plan"]]
    shown = [line for line in plan if line.startswith(("launch", "route", "burn", "generation 1", "then"))]
    assert shown == [
        f"launch 2 of registry.example/shop/web@{TWO} as generation 2",
        "route 80 % to generation 1, 20 % to generation 2",
        "route 100 % to generation 2",
        f"burn {instance_id(PAIR, 1, 1)}",
        f"burn {instance_id(PAIR, 1, 2)}",
        "generation 1: retired (superseded by generation 2)",
        "then generation 2 is live",
    ]
    yard.write()
    assert {path: path.read_bytes() for path in yard.folder.rglob("*") if path.is_file()} == before
    assert yard.deploy(THREE, "--dry-run").code == 5


def test_a_rollback_is_an_older_digest_as_a_new_generation_pinned(yard: Yard) -> None:
    yard.approve(ONE, TWO, THREE)
    yard.deploy(ONE)
    yard.deploy(TWO)
    said = yard.run("rollback", "production", "web", "-f", "json")
    found = said.document["generation"]
    assert (said.code, found["number"], found["digest"], found["why"], found["pinned"]) == (0, 3, ONE, "rollback", True)
    assert yard.deploy(THREE).code == 2
    assert yard.run("rollback", "production", "web", "--release").code == 0
    assert yard.deploy(THREE).code == 0
    yard.revoke(ONE)
    said = yard.run("rollback", "production", "web", "-f", "json", "--to", "1")
    assert (said.code, said.document["outcome"]) == (1, "refused")
    assert yard.run("rollback", "production", "web", "--to", "9").code == 2
    assert yard.run("rollback", "production", "web", "-f", "json", "--digest", TWO).document["generation"]["digest"] == TWO


def test_burning_takes_away_what_runs_and_nothing_starts_it_again_by_itself(yard: Yard) -> None:
    yard.approve(ONE, TWO)
    assert yard.run("burn", "production", "web", "--reason", " ").code == 2, "why is asked for"
    nothing = yard.run("burn", "production", "web", "--reason", "none", "-f", "json")
    assert (nothing.code, nothing.document["outcome"]) == (0, "nothing")
    yard.deploy(ONE)
    plan = yard.run("burn", "production", "web", "--reason", "it closes", "--dry-run", "-f", "json").document["plan"]
    assert [line.strip() for line in plan if line.strip().startswith(("route", "burn", "then"))] == [
        "route nothing to anybody",
        f"burn {instance_id(PAIR, 1, 1)}",
        f"burn {instance_id(PAIR, 1, 2)}",
        "then generation 1 is stopped",
    ]
    assert yard.journal.ledger.live is not None, "a rehearsal burns nothing"
    said = yard.run("burn", "production", "web", "--actor", "dora", "--reason", "it closes", "-f", "json")
    found = said.document["generation"]
    assert (said.code, said.document["outcome"], found["state"], found["reason"]) == (0, "stopped", "stopped", "it closes")
    assert {step["actor"] for step in said.document["steps"]} == {"dora"}
    assert yard.run("phoenix", "--once").code == 0
    assert "nothing runs" in yard.run("instances").out
    assert yard.deploy(TWO).document["generation"]["number"] == 2


def test_what_a_kill_left_is_gone_on_with_before_anything_else(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.approve(ONE, TWO)
    yard.deploy(ONE)

    class KilledError(BaseException):
        pass

    def kill(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(FolderPlatform, "shift", kill)
        with pytest.raises(KilledError):
            yard.deploy(TWO)
    assert yard.journal.ledger.moving is not None
    said = yard.run("deploy", "production", "web", "-f", "json")
    assert (said.code, said.document["outcome"], said.document["generation"]["number"]) == (0, "live", 2)
    assert yard.run("deploy", "production", "web", "-f", "json").document["outcome"] == "nothing"


def test_instances_says_what_runs_and_by_which_approval(yard: Yard) -> None:
    yard.approve(ONE, TWO)
    assert "nothing runs" in yard.run("instances").out
    yard.deploy(ONE)
    yard.deploy(TWO)
    said = yard.run("instances", "production", "-f", "json")
    pair = said.document["pairs"][0]
    assert [each["number"] for each in pair["generations"]] == [2]
    assert len(pair["instances"]) == 2
    assert pair["generations"][0]["endorsement"].startswith("sha256:")
    assert pair["serving"] == [{"generation": 2, "percent": 100}]
    assert len(yard.run("instances", "--all", "-f", "json").document["pairs"][0]["generations"]) == 2
    text = yard.run("instances").out
    assert "generation 2 live since" in text
    assert "approved by sha256:" in text
    (yard.folder / "platform" / "instances" / "broken").write_text("{")
    with pytest.raises(msgspec.DecodeError):
        yard.run("instances")
    assert yard.run("instances", "--journal").code == 0
    assert yard.run("instances", "nowhere").code == 2


def test_the_keeper_replaces_what_drifted_at_a_bounded_rate(yard: Yard) -> None:
    yard.approve(ONE)
    yard.write("most_replacements = 2\n")
    yard.deploy(ONE)
    assert yard.run("phoenix", "--once").code == 0
    for number in (1, 2):
        yard.platform.change(instance_id(PAIR, number, 1), digest=FOUR)
        said = yard.run("phoenix", "--once", "-f", "json")
        found = msgspec.json.decode(said.out)["round"]
        assert (said.code, found["ended"]["number"], found["ended"]["why"]) == (0, number + 1, "drift")
        assert found["drifts"][0]["observed"] == FOUR
        assert yard.serving() == [number + 1]
    (yard.platform.folder / "instances" / instance_id(PAIR, 3, 2)).unlink()
    said = yard.run("phoenix", "--once")
    assert (said.code, "2 replacements within 1 hours" in said.err) == (1, True)


def test_the_keeper_replaces_what_was_revoked_by_what_may_run(yard: Yard) -> None:
    yard.approve(ONE, TWO)
    yard.deploy(ONE)
    yard.deploy(TWO)
    yard.revoke(TWO)
    said = yard.run("phoenix", "--once", "-f", "json")
    found = msgspec.json.decode(said.out)["round"]["ended"]
    assert (said.code, found["digest"], found["why"], found["pinned"]) == (0, ONE, "revoked", False)
    assert yard.serving() == [3]
    yard.revoke(TWO, ONE)
    said = yard.run("phoenix", "--once")
    assert (said.code, "nothing approved can take its place" in said.err) == (1, True)
    assert yard.serving() == [3]
    yard.write('without_approved = "stop"\n')
    assert yard.run("phoenix", "--once").code == 0
    assert (yard.serving(), yard.journal.ledger.live) == ([], None)


def test_the_keeper_stops_or_only_says_where_the_terms_say_so(yard: Yard) -> None:
    yard.approve(ONE, TWO)
    yard.deploy(ONE)
    yard.deploy(TWO)
    yard.revoke(TWO)
    yard.write('on_revoked = "alert"\n')
    assert yard.run("phoenix", "--once").code == 1
    assert yard.serving() == [2]
    yard.write('on_revoked = "stop"\n')
    assert yard.run("phoenix", "--once").code == 0
    assert yard.journal.ledger.generations[2].state is State.STOPPED


def test_the_keeper_takes_nothing_away_because_trust_cannot_be_read(yard: Yard) -> None:
    yard.approve(ONE)
    yard.deploy(ONE)
    (yard.pipeline.trust / "trust.json").write_text("{")
    said = yard.run("phoenix", "--once")
    assert (said.code, "unproven" in said.err) == (1, True)
    assert yard.serving() == [1]
    assert yard.deploy(ONE, "--again").code == 5


# --- break-glass -----------------------------------------------------------------------------------------------------


def test_an_order_lets_one_digest_run_and_is_shown_everywhere(yard: Yard) -> None:
    yard.approve(ONE)
    yard.deploy(ONE)
    order, key = str(yard.folder / "order.json"), str(yard.glass_key())
    words = ["breakglass", "sign", "production", "web", TWO, "--key", key, "--reason", "the site is down", "--hours", "2", "-o", order]
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert yard.deploy(THREE, "--breakglass", order).code == 2
    said = yard.deploy(TWO, "--breakglass", order)
    assert (said.code, said.document["generation"]["number"]) == (0, 2)
    assert any("BREAK-GLASS" in each for each in said.document["notes"])
    verified = next(step for step in yard.journal.steps if step.state is State.VERIFIED and step.generation == 2)
    assert verified.breakglass.startswith("sha256:")
    assert verified.until > verified.at
    assert "the site is down" in verified.reason
    assert "BREAK-GLASS" in yard.run("instances").out
    said = yard.run("phoenix", "--once")
    assert (said.code, "BREAK-GLASS" in said.err) == (0, True)
    said = yard.run("breakglass", "show")
    assert (said.code, "the site is down" in said.out) == (1, True)
    assert yard.run("breakglass", "end", "production", "web", verified.breakglass[:20]).code == 0
    assert yard.run("breakglass", "show").code == 0
    assert yard.deploy(TWO, "--breakglass", order).code == 2
    said = yard.run("phoenix", "--once")
    assert said.code == 0
    assert yard.journal.ledger.live is not None
    assert yard.journal.ledger.live.digest == ONE


# --- a server ----------------------------------------------------------------------------------------------------------


class Server:
    """What a server is asked and told here; it takes steps in order, each once."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.drifts: list[dict[str, Any]] = []
        self.wanted: dict[str, Any] = {}
        self.revoked: set[str] = set()
        self.down = False


@contextmanager
def serving(server: Server) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def answer(self, found: Any, status: int = 200) -> None:
            data = msgspec.json.encode(found)
            self.send_response(503 if server.down else status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            assert self.headers["Authorization"] == "Bearer opens"
            if "/verification" in self.path:
                back = [each for each in server.revoked if each.replace(":", "%3A") in self.path]
                self.answer({"ok": not back, "refused": [{"reason": "revoked", "text": "an advisory"}] if back else []})
            elif "/wanted" in self.path:
                self.answer({"items": [server.wanted] if server.wanted else []})
            else:
                self.answer({"attestations": []})

        def do_POST(self) -> None:
            body = msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith("/drifts"):
                server.drifts.append(body)
            elif not server.down and body["steps"] and body["steps"][0]["number"] > len(server.steps) + 1:
                self.answer({"type": "https://assay.example/problems/steps-missing"}, 409)
                return
            elif not server.down:
                fresh = [each for each in body["steps"] if each["number"] > len(server.steps)]
                assert [each["number"] for each in fresh] == list(range(len(server.steps) + 1, len(server.steps) + 1 + len(fresh)))
                server.steps += fresh
            self.answer({"steps": len(server.steps), "fresh": 1})

    with listening(Handler) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def server(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("ASSAYMARK_TOKEN", "opens")
    made = Server()
    with serving(made) as url:
        yard.write(head=f'[server]\nurl = "{url}"\n')
        yield made


@pytest.mark.enable_socket
def test_each_step_is_told_in_order_also_after_the_server_was_down(yard: Yard, server: Server) -> None:
    yard.approve(ONE, TWO)
    server.down = True
    said = yard.deploy(ONE)
    assert (said.code, server.steps) == (0, [])
    assert any("503" in each for each in said.document["notes"])
    assert yard.run("instances", "-f", "json").document["pairs"][0]["untold"] == len(yard.journal.steps)
    server.down = False
    assert yard.deploy(TWO).code == 0
    assert [each["number"] for each in server.steps] == [each.number for each in yard.journal.steps]
    assert [each["state"] for each in server.steps] == [each.state for each in yard.journal.steps]
    assert yard.run("instances", "-f", "json").document["pairs"][0]["untold"] == 0
    server.steps.clear()  # another server, or one that lost what it was told
    assert yard.deploy(ONE).code == 0
    assert [each["number"] for each in server.steps] == [each.number for each in yard.journal.steps]


@pytest.mark.enable_socket
def test_a_server_can_take_back_what_is_approved_here_and_never_approve(yard: Yard, server: Server) -> None:
    yard.approve(ONE)
    server.revoked.add(ONE)
    said = yard.deploy(ONE)
    assert (said.code, "an advisory" in said.document["generation"]["reason"]) == (1, True)
    assert yard.deploy(TWO).code == 5


@pytest.mark.enable_socket
def test_the_keeper_deploys_what_a_server_wants_when_it_may_run(yard: Yard, server: Server) -> None:
    yard.approve(ONE, TWO)
    pair = {"environment": "production", "component": "web", "why": "promoted"}
    server.wanted = {**pair, "do": "deploy", "digest": ONE, "image": "evil.example/x@" + ONE, "promoted_by": "ada", "pins": True}
    assert yard.run("phoenix", "--once").code == 0
    live = yard.journal.ledger.live
    assert live is not None
    assert (live.digest, live.actor, live.pinned, live.image) == (ONE, "ada", True, f"registry.example/shop/web@{ONE}")
    server.wanted = {**pair, "do": "deploy", "digest": TWO, "releases": False}
    assert yard.run("phoenix", "--once").code == 0
    assert yard.serving() == [1]
    server.wanted["releases"] = True
    assert yard.run("phoenix", "--once").code == 0
    assert yard.serving() == [2]
    server.wanted = {**pair, "do": "replace", "digest": THREE}
    assert yard.run("phoenix", "--once").code == 1
    assert yard.serving() == [2]
    away = {
        "what": "digest",
        "kind": "digest",
        "observed": FOUR,
        "by": "ana",
        "reason": "looking",
        "until": (time.time_ns() // 1000) + 10**9,
    }
    server.wanted = {**pair, "do": "keep", "looked_away": [{"where": instance_id(PAIR, 2, 1), **away}]}
    yard.platform.change(instance_id(PAIR, 2, 1), digest=FOUR)
    said = yard.run("phoenix", "--once", "-f", "json")
    assert (said.code, msgspec.json.decode(said.out)["round"]["drifts"][0]["action"], yard.serving()) == (0, "ignore", [2])
    yard.platform.change(instance_id(PAIR, 2, 1), digest=TWO)
    server.wanted = {**pair, "do": "stop", "why": "revoked"}
    assert yard.run("phoenix", "--once").code == 0
    assert yard.serving() == [2]
    whole = [instance_id(PAIR, 2, 1), instance_id(PAIR, 2, 2)]
    assert server.drifts[-1] == {"environment": "production", "component": "web", "generation": 2, "drifts": [], "looked": whole}
    server.wanted = {}
    yard.platform.change(whole[0], digest=FOUR)
    assert yard.run("phoenix", "--once").code == 0
    assert (server.drifts[-1]["generation"], [each["observed"] for each in server.drifts[-1]["drifts"]]) == (2, [FOUR])
    assert yard.serving() == [3]
    yard.platform.change(instance_id(PAIR, 3, 1), digest=FOUR)
    server.wanted = {**pair, "do": "deploy", "digest": ONE}
    assert yard.run("phoenix", "--once").code == 0  # what is wanted is fresh, too: the drifted digest is not raised once more
    assert [each.digest for each in yard.journal.ledger.generations.values()] == [ONE, TWO, TWO, ONE]


@pytest.mark.enable_socket
def test_a_server_that_is_not_there_stops_no_deploy_and_costs_little_time(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAYMARK_TOKEN", "opens")
    yard.write(head='[server]\nurl = "http://127.0.0.1:9"\n')
    yard.approve(ONE)
    begun = time.monotonic()
    said = yard.deploy(ONE)
    assert (said.code, time.monotonic() - begun < 4) == (0, True)
    monkeypatch.delenv("ASSAYMARK_TOKEN")
    said = yard.deploy(ONE, "--again")
    assert (said.code, any("token" in each for each in said.document["notes"])) == (0, True)
