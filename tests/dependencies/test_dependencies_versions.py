"""Keys of versions: the facts we know, the laws of an order, and the ecosystems' own tools where they are installed."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.dependencies.version_facts import ASCENDING, NO_VERSION, ascending

from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.checks.application.dependencies.versions.keys import ORDERS, key_of

PARTS = (
    "0",
    "00",
    "1",
    "2",
    "01",
    "9",
    "10",
    "a",
    "b",
    "rc",
    "alpha",
    "dev",
    "post",
    "pre",
    "x",
    "p",
    ".",
    "-",
    "_",
    "+",
    "~",
    ":",
    "^",
    "v",
    "r",
)
texts = st.lists(st.sampled_from(PARTS), min_size=1, max_size=9).map("".join) | st.text(max_size=12)


def key(ecosystem: Ecosystem, version: str) -> bytes:
    found = key_of(ecosystem, version)
    assert found is not None, version
    return found


@pytest.mark.parametrize("ecosystem", ASCENDING)
def test_known_orders_hold(ecosystem: Ecosystem) -> None:
    groups = ascending(ecosystem)
    for group in groups:
        assert len({key(ecosystem, version) for version in group}) == 1, group
    for lower, higher in itertools.pairwise(groups):
        assert key(ecosystem, lower[0]) < key(ecosystem, higher[0]), (lower, higher)


@pytest.mark.parametrize("ecosystem", NO_VERSION)
def test_what_has_no_order_has_no_key(ecosystem: Ecosystem) -> None:
    assert [version for version in NO_VERSION[ecosystem] if key_of(ecosystem, version) is not None] == []


def test_every_ecosystem_has_an_order() -> None:
    assert set(ORDERS) == set(Ecosystem)


def test_hostile_lengths_have_no_key_and_cost_nothing() -> None:
    for ecosystem in Ecosystem:
        for text in ("1" * 501, "1." * 300, "9" * 400, "1" + "-" * 400, "0." * 249 + "a", "1a" * 200 + "!", "1.a-" * 120 + "!"):
            key_of(ecosystem, text)
        assert key_of(ecosystem, "1" * 501) is None


@settings(deadline=None)
@given(st.sampled_from(sorted(Ecosystem)), texts)
def test_any_text_has_one_key_or_none(ecosystem: Ecosystem, text: str) -> None:
    found = key_of(ecosystem, text)
    key_of.cache_clear()
    assert key_of(ecosystem, text) == found


# --- agreement with the tools of the ecosystems ----------------------------------------------------------------------
# Keys are bytes, so totality, antisymmetry and transitivity are those of bytes; what is tested is that they mean what the tool means.

Compare = Callable[[Sequence[tuple[str, str]]], list[int]]


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"NOT PROVED here: {program} is not installed")
    return found


def answer(command: list[str], given: object) -> list[int]:
    ran = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"NOT PROVED here: {command[0]} cannot answer: {' '.join(ran.stderr.split())[:200]}")
    said: list[int] = json.loads(ran.stdout)
    return said


def by_packaging(pairs: Sequence[tuple[str, str]]) -> list[int]:
    version = pytest.importorskip("packaging.version", reason="NOT PROVED here: packaging is not installed").Version
    return [(version(a) > version(b)) - (version(a) < version(b)) for a, b in pairs]


def by_dpkg(pairs: Sequence[tuple[str, str]]) -> list[int]:
    dpkg = need("dpkg")

    def holds(a: str, relation: str, b: str) -> bool:
        return subprocess.run([dpkg, "--compare-versions", a, relation, b], stderr=subprocess.DEVNULL, check=False).returncode == 0

    return [1 if holds(a, "gt", b) else -1 if holds(a, "lt", b) else 0 for a, b in pairs]


def by_rpm(pairs: Sequence[tuple[str, str]]) -> list[int]:
    program = "import json,sys,rpm; print(json.dumps([rpm.labelCompare((None,a,None),(None,b,None)) for a,b in json.load(sys.stdin)]))"
    return answer([need("/usr/bin/python3"), "-c", program], pairs)


def by_gem(pairs: Sequence[tuple[str, str]]) -> list[int]:
    program = "require 'json'; puts JSON.dump(JSON.parse(STDIN.read).map{|a,b| Gem::Version.new(a) <=> Gem::Version.new(b)})"
    return answer([need("ruby"), "-e", program], pairs)


def by_composer(pairs: Sequence[tuple[str, str]]) -> list[int]:
    program = (
        "require '/usr/share/php/Composer/Semver/autoload.php'; use Composer\\Semver\\Comparator as C; $o=[];"
        "foreach(json_decode(stream_get_contents(STDIN)) as [$a,$b])"
        "{$o[]=C::greaterThan($a,$b)?1:(C::lessThan($a,$b)?-1:0);} echo json_encode($o);"
    )
    return answer([need("php"), "-r", program], pairs)


def by_node(pairs: Sequence[tuple[str, str]]) -> list[int]:
    program = (
        "const p=require('path'),own=p.join(p.dirname(process.execPath),'../lib/node_modules/npm/node_modules/semver');"
        "let s;try{s=require('semver')}catch{s=require(own)}"
        "console.log(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map(([a,b])=>s.compare(a,b))))"
    )
    return answer([need("node"), "-e", program], pairs)


def number(chance: random.Random) -> str:
    return str(chance.choice((0, 1, 2, 9, 10, 11, 100)))


def release(chance: random.Random, most: int) -> str:
    return ".".join(number(chance) for _ in range(chance.randint(1, most)))


def python_version(chance: random.Random) -> str:
    parts = [chance.choice(("", "", "", "1!")), release(chance, 4), chance.choice(("", "", "a1", ".b2", "rc1", "-c0", "alpha"))]
    return "".join(
        [
            *parts,
            chance.choice(("", "", ".post1", "-2", ".rev")),
            chance.choice(("", "", ".dev0", "dev3")),
            chance.choice(("", "", "+x.1", "+1")),
        ]
    )


def semantic_version(chance: random.Random) -> str:
    early = ".".join(chance.choice(("0", "1", "10", "alpha", "beta", "rc", "a-b", "A")) for _ in range(chance.randint(1, 3)))
    return ".".join(number(chance) for _ in range(3)) + chance.choice(("", "", f"-{early}")) + chance.choice(("", "+b"))


def debian_version(chance: random.Random) -> str:
    body = "".join(chance.choice(("0", "1", "9", "10", "a", "Z", "~", "+", ".", "~rc")) for _ in range(chance.randint(0, 6)))
    return chance.choice(("", "", "1:")) + number(chance) + body + chance.choice(("", "-1", "-0", "-1~b1", "-1+b2"))


def rpm_version(chance: random.Random) -> str:
    return "".join(chance.choice(("0", "1", "01", "9", "10", "a", "rc", "Z", "~", "^", ".", "_", "+")) for _ in range(chance.randint(1, 7)))


def gem_version(chance: random.Random) -> str:
    parts = [
        number(chance) if chance.random() < 0.7 else chance.choice(("a", "b1", "rc", "pre", "0a")) for _ in range(chance.randint(0, 5))
    ]
    return ".".join([number(chance), *parts])


def composer_version(chance: random.Random) -> str:
    stage = chance.choice(("", "", "-dev", "-alpha1", "-a2", "-beta", "b3", "-RC1", "rc2", "-patch1", "p2", "pl1"))
    return release(chance, 4) + stage


TOOLS: dict[str, tuple[Ecosystem, Callable[[random.Random], str], Compare, int]] = {
    "packaging": (Ecosystem.PYPI, python_version, by_packaging, 4000),
    "dpkg": (Ecosystem.DEBIAN, debian_version, by_dpkg, 60),
    "rpm": (Ecosystem.ALMALINUX, rpm_version, by_rpm, 4000),
    "gem": (Ecosystem.RUBYGEMS, gem_version, by_gem, 4000),
    "composer": (Ecosystem.PACKAGIST, composer_version, by_composer, 4000),
    "node-semver": (Ecosystem.NPM, semantic_version, by_node, 4000),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_ecosystems_own_tool_agrees(tool: str) -> None:
    ecosystem, make, compare, count = TOOLS[tool]
    chance = random.Random(20261127)
    pairs = [(make(chance), make(chance)) for _ in range(count)]
    ours = [(key(ecosystem, a) > key(ecosystem, b)) - (key(ecosystem, a) < key(ecosystem, b)) for a, b in pairs]
    wrong = [(pair, own, said) for pair, own, said in zip(pairs, ours, compare(pairs), strict=True) if own != said]
    assert not wrong, f"{len(wrong)} of {count}: {wrong[:5]}"
