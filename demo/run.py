"""The show: builds the sample repository and lets `assay` speak about it, one scene after the other.

Every scene names the exit code that it expects and words that the answer must hold: when the product misbehaves, the show fails.
Everything is written below ``out/demo`` (the sample, the cache, the report); nothing outside is touched and no process stays behind.
"""

from __future__ import annotations

import argparse
import copy
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import build_sample
import ending
import msgspec
from ending import COMPONENT, ENVIRONMENT

PASS, FAIL, UNPROVEN = 0, 1, 5
_WIDTH = 100
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b\x07]*(?:\x1b\\|\x07)")


class Scene(msgspec.Struct, frozen=True):
    """One command and what must come of it."""

    title: str
    words: str
    arguments: tuple[str, ...]
    code: int = PASS
    says: tuple[str, ...] = ()
    """Texts that the answer holds, in any case of letters."""
    silent_about: tuple[str, ...] = ()


class Unexpected(SystemExit):
    """The product did not do what the scene promises."""


class Stage:
    """The sample repository, and `assay` inside it."""

    def __init__(self, folder: Path, assay: str) -> None:
        self.folder = folder
        self.sample = folder / "harbour"
        self.assay = assay
        kept = {name: value for name, value in build_sample.git_environment().items() if not name.startswith("ASSAYMARK_")}
        self.environment = kept | {
            "ASSAYMARK_CACHE": str(folder / "cache"),
            "ASSAYMARK_ADVISORIES": str(folder / "advisories"),
            # Fixed, so that the ids of the show are the same everywhere; a real key is random and made at the first run.
            "ASSAYMARK_KEY": "the key of the show, known to all",
            "ASSAYMARK_DAEMON": "off",
            "ASSAYMARK_TODAY": "2026-06-01",
            "COLUMNS": str(_WIDTH),
        }
        if sys.stdout.isatty():
            self.environment["FORCE_COLOR"] = "1"  # what is said goes through this program, and on to a terminal all the same

    def run(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Run `assay`; what it says goes to the terminal as it is, and comes back as plain text."""
        command = [self.assay, *arguments]
        ran = subprocess.run(command, cwd=self.sample, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        text = ran.stdout.decode("utf-8", "replace")
        sys.stdout.write(text)
        sys.stdout.flush()
        return ran.returncode, _ESCAPES.sub("", text)

    def play(self, scene: Scene) -> None:
        print(f"\n{'━' * _WIDTH}\n{scene.title}\n\n{scene.words}\n\n$ assay {' '.join(scene.arguments)}\n", flush=True)
        code, text = self.run(scene.arguments)
        if code != scene.code:
            raise Unexpected(f"\nthe show fails: expected exit code {scene.code}, got {code}")
        said = text.casefold()
        for missing in (words for words in scene.says if words.casefold() not in said):
            raise Unexpected(f"\nthe show fails: the answer does not say {missing!r}")
        for present in (words for words in scene.silent_about if words.casefold() in said):
            raise Unexpected(f"\nthe show fails: the answer says {present!r}")
        print(f"(exit code {code}, as expected)")

    def verdict(self, *arguments: str) -> dict[str, Any]:
        """The answer of a check as data; costs nothing after the same check was shown."""
        answer: dict[str, Any] = msgspec.json.decode(self.ask("check", *arguments, "--format", "json"))["verdict"]
        return answer

    def ask(self, *arguments: str) -> bytes:
        """What `assay` prints, without showing it."""
        return subprocess.run([self.assay, *arguments], cwd=self.sample, env=self.environment, check=False, stdout=subprocess.PIPE).stdout

    def beside(self, folder: Path, more: Mapping[str, str]) -> Stage:
        """The same, in another folder."""
        made = copy.copy(self)
        made.sample, made.environment = folder, self.environment | dict(more)
        return made

    def look_at(self, revision: str) -> None:
        command = ["git", "-C", str(self.sample), "switch", "--quiet", *revision.split()]
        subprocess.run(command, check=True, env=self.environment)


def families(verdict: dict[str, Any]) -> set[str]:
    """The families of all open findings."""
    return {judged["finding"]["core"][1] for judged in verdict["findings"] if judged["state"] != "fixed"}


def new_finding(verdict: dict[str, Any], family: str) -> str:
    """Short id of the first new finding of a family."""
    for judged in verdict["findings"]:
        if judged["state"] == "new" and judged["finding"]["core"][1] == family:
            return str(judged["finding"]["fingerprint"]).rpartition(":")[2][:12]
    raise Unexpected(f"\nthe show fails: the verdict holds no new finding of the family {family}")


BURIED = {
    "sql-injection", "command-injection", "unsafe-deserialisation", "weak-hash", "weak-randomness", "certificate-validation",
    "debug-enabled", "hardcoded-credential", "provider-token", "private-key", "secret-exposure-in-pipeline",
    "pipeline-injection", "untrusted-checkout", "unpinned-dependency", "excessive-permissions", "unverified-download",
}  # fmt: skip
"""What the commits up to ``before-assay`` brought; the first check has to dig up all of it."""


def preparation(stage: Stage) -> None:
    words = "Once per machine: what the checks need is looked for, and rules are compiled (this takes half a minute, the first time)."
    stage.play(Scene("0  Is everything here?", words, ("doctor",), PASS))
    words = "What is known of other people's packages: fetched once a day in real life, three advisories of the recipe here."
    source = str(build_sample.RECIPE / "advisories")
    stage.play(Scene("   … and the advisories", words, ("advisories", "update", "--from", source), PASS, says=("3 advisories",)))


def first_check(stage: Stage) -> None:
    stage.look_at("--detach before-assay")
    words = (
        "It is April. Harbour is six weeks old, works, and nobody has ever looked. Everything is judged, not only a change:\n"
        "the application, its configuration, its three pipelines."
    )
    stage.play(Scene("1  The first check", words, ("check", "--all"), FAIL, says=("open findings",)))
    missed = BURIED - families(stage.verdict("--all"))
    if missed:
        raise Unexpected(f"\nthe show fails: the first check did not see {', '.join(sorted(missed))}")
    stage.look_at("main")


def harmless_refactor(stage: Stage) -> None:
    words = (
        "It is May. A colleague moves three files, renames a module, reorders functions and reformats a class that still\n"
        "talks to the carrier without checking its certificate. Nothing got worse, so nothing is said to be new."
    )
    stage.play(Scene("2  A harmless refactor passes", words, ("check", "main...refactor/tidy"), PASS, says=("pass",)))


def bad_change(stage: Stage) -> None:
    words = (
        "Friday evening. A new export pastes its words into SQL, puts a token into a file, and, since the check of secrets\n"
        "complained, takes that check out of the policy. All three stop the line."
    )
    span = "main...feature/fast-export"
    stage.play(Scene("3  A bad change is stopped", words, ("check", span), FAIL, says=("export.py", "export.toml", "secrets")))
    found = new_finding(stage.verdict(span), "sql-injection")
    words = "Why is that wrong, how is it exploited, and what does safe code look like? Offline, at the place of the defect."
    stage.play(Scene("   … with its fix", words, ("explain", found), PASS, says=("SQL",)))


def repaired_change(stage: Stage) -> None:
    words = "Monday morning, repaired. The old debt of main is still there and does not stand in anybody's way."
    stage.play(Scene("4  The repaired change passes", words, ("check", "main...feature/export-fixed"), PASS, says=("pass",)))


def ship(stage: Stage) -> None:
    words = (
        "Harbour goes to a machine of its own: a lock file that brings an old urllib3 along, a firewall that is open to the world,\n"
        "a container that runs as root. Three layers, one verdict, each with its fix."
    )
    says = ("urllib3", "CVE-2023-43804", "requests", "1.26.18", "network.tf", "Dockerfile")
    span = "main...feature/ship"
    stage.play(Scene("5  Dependencies, infrastructure, container", words, ("check", span), FAIL, says=says))
    found = new_finding(stage.verdict(span), "known-vulnerable-component")
    words = "Who brought it in, how bad it is, and the command that clears it."
    stage.play(Scene("   … with the way out", words, ("explain", found), PASS, says=("urllib3",)))
    words = "Monday: a current urllib3, a user without rights, the office instead of the world."
    stage.play(Scene("   … and repaired", words, ("check", "main...feature/ship-fixed"), PASS, says=("pass",)))


def history(stage: Stage) -> None:
    words = "Three months, commit by commit. Every content is looked at once, whatever the number of commits that hold it."
    stage.play(Scene("6  The history that got better", words, ("history",), PASS))
    told = stage.ask("history", "--json")
    heights = [sum(point["open"].values()) for point in msgspec.json.decode(told)["points"]]
    if not heights or heights[-1] * 2 > max(heights):
        raise Unexpected(f"\nthe show fails: open findings went {heights}, which is not better")


def report(stage: Stage) -> None:
    target = stage.folder / "report.html"
    words = "The bad change once more, as one file for people who do not live in a terminal."
    arguments = ("check", "main...feature/fast-export", "--format", "html", "--output", str(target))
    stage.play(Scene("7  The report", words, arguments, FAIL))
    page = target.read_text("utf-8") if target.is_file() else ""
    if "</html>" not in page.lower():
        raise Unexpected(f"\nthe show fails: {target} is no whole page")
    print(f"{target} ({len(page) // 1024} KiB, no request to anywhere)")


def approved(stage: Stage, berth: ending.Berth, platform: ending.Platform) -> str:
    """Bake, have it approved, and deploy; the digest that runs."""
    words = "The page of the harbour becomes an image: the same input gives the same digest, on any machine, with what is in it beside."
    stage.play(Scene("8  An image is baked", words, ("bake", "site", "-o", "baked", *platform.carried), PASS, says=("verdict", "pass")))
    digest = berth.baked(platform.member)
    pair = (ENVIRONMENT, COMPONENT)
    stage.ask("trust", "key", "new", "endorse.pem", "--no-passphrase")
    berth.believe((berth.folder / "endorse.pem.pub").read_text("utf-8"))
    berth.write_terms(platform)
    words = "Nobody has approved it yet. Nothing is launched."
    stage.play(Scene("   … and refused", words, ("deploy", *pair, digest), UNPROVEN, says=("no-endorsement",)))
    words = "Its verdict is a pass, so the pipeline's key signs that it may run: image, configuration and manifest, by their digests."
    key = ("--key", "endorse.pem", "--verifier", ending.VERIFIER, "--resource", ending.RESOURCE)
    stage.play(Scene("9  Approved", words, ("endorse", "--bake", "baked", *key, "-o", "approved/berths.sigstore.json"), PASS))
    words = "Verified again, now; launched beside, probed, given the traffic. What runs is read-only."
    stage.play(Scene("   … it runs", words, ("deploy", *pair, digest), PASS, says=("live",)))
    print(f"\nA visitor is told: {berth.page().splitlines()[-1]}")
    return digest


def tampered(stage: Stage, berth: ending.Berth) -> None:
    """Somebody changes what runs, and it is replaced."""
    pair = (ENVIRONMENT, COMPONENT)
    told = msgspec.json.decode(stage.ask("instances", *pair, "--format", "json"))
    said = berth.tamper(ending.first_instance(told))
    print(f"\n{'━' * _WIDTH}\n10  Somebody tampers with it\n\nFrom inside it cannot be changed ({said}).")
    print(f"So root of the host goes behind its back. A visitor is told: {berth.page().splitlines()[-1]}")
    if "mine" not in berth.page():
        raise Unexpected("\nthe show fails: nobody could tamper with it")
    words = "Compared with what was endorsed, not with how it was yesterday."
    stage.play(Scene("   … which is seen", words, ("drift", "--instances", "/".join(pair)), FAIL, says=("index.html",)))
    words = "Drift is not accepted and not repaired: a fresh generation of the approved digest rises, and the tampered one is burnt."
    stage.play(Scene("11  The phoenix", words, ("phoenix", *pair, "--once"), PASS, says=("drift",)))
    page = berth.page()
    if "Berth 7 is free" not in page:
        raise Unexpected(f"\nthe show fails: a visitor is told {page!r}")
    print(f"\nA visitor is told: {page.splitlines()[-1]}")
    stage.play(Scene("   … and what there was", "Generations only rise.", ("instances", *pair, "--all"), PASS, says=("retired", "live")))


def phoenix(stage: Stage) -> None:
    with ending.berth(stage.folder / "berth", build_sample.RECIPE / "berth") as berth:
        platform = berth.platform
        if platform is None:
            print(f"\n{'━' * _WIDTH}\n{ending.MISSING}")
            return
        here = stage.beside(berth.folder, berth.environment)
        digest = approved(here, berth, platform)
        tampered(here, berth)
        berth.revoke(digest)
        words = "Its approval is taken back, and these terms say to stop what is revoked when nothing else is approved."
        here.play(Scene("12  Taken back", words, ("phoenix", ENVIRONMENT, COMPONENT, "--once"), PASS, says=("stopped",)))


SCENES = (preparation, first_check, harmless_refactor, bad_change, repaired_change, ship, history, report, phoenix)


def find_assay() -> str:
    """The command beside this interpreter, else the one on the path."""
    beside = Path(sys.executable).with_name("assay")
    found = str(beside) if beside.is_file() else shutil.which("assay")
    if not found:
        raise Unexpected("assay is not installed; do this: make demo")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds the sample repository and shows what assay says of it.")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder to write (default: out/demo)")
    folder = parser.parse_args().out.resolve()
    stage = Stage(folder, find_assay())
    for facts in (folder / "cache").glob("facts-*"):
        facts.unlink()  # so that times are those of a first run; compiled rules stay
    shutil.rmtree(folder / "advisories", ignore_errors=True)  # of whichever version of the program made them
    head = build_sample.build(stage.sample)
    print(f"harbour: a sample repository of {count_commits(stage)} commits by four people, built at {stage.sample} (main is {head[:12]})")
    for scene in SCENES:
        scene(stage)
    print(f"\n{'━' * _WIDTH}\nThe end. Look around: cd {os.path.relpath(stage.sample)}; git log --all --oneline; assay check")


def count_commits(stage: Stage) -> int:
    command = ["git", "-C", str(stage.sample), "rev-list", "--all", "--count"]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=stage.environment).stdout)


if __name__ == "__main__":
    main()
