"""Which findings one repair removes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assaymark.model.cause import Base, CauseKind, Home, cause_of, is_gap
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Core, Finding, Kind, Layer, Place, RuleClassId, RuleId, Witness
from assaymark.model.identity import fingerprint
from assaymark.model.severity import Confidence, Severity

HOME = Home("repository:5", "team:3", "shop")
LODASH = "pkg:npm/lodash"


def found(
    kind: Kind, *parts: str, path: str = "src/a.py", rule_class: str = "sql-injection", notes: tuple[tuple[str, str], ...] = ()
) -> Finding:
    core = Core(kind, RuleClassId(rule_class), parts)
    witness = Witness(CheckId("check"), RuleId("check/rule"), "it is wrong")
    return Finding(
        fingerprint(core, "scope/1"), core, Place(path, 3), Layer.APPLICATION, Severity.HIGH, Confidence.HIGH, (witness,),
        Digest("git-sha1:" + "a" * 40), notes=notes,
    )  # fmt: skip


def package(advisory: str, name: str = LODASH, path: str = "web/package-lock.json", version: str = "4.17.15") -> Finding:
    return found(Kind.COMPONENT, name, advisory, path=path, rule_class="vulnerable-dependency", notes=(("version", version),))


def test_a_package_in_a_lock_file_is_one_upgrade_whatever_its_advisories() -> None:
    causes = {cause_of(package(f"CVE-{number}"), HOME) for number in range(50)}
    (one,) = causes
    assert (one.kind, one.title) == (CauseKind.PACKAGE, "lodash in web/package-lock.json")


def test_another_package_another_file_and_another_repository_are_other_upgrades() -> None:
    elsewhere = Home("repository:6", "team:3")
    keys = {
        cause_of(package("CVE-1"), HOME).key,
        cause_of(package("CVE-1", "pkg:npm/left-pad"), HOME).key,
        cause_of(package("CVE-1", path="api/package-lock.json"), HOME).key,
        cause_of(package("CVE-1"), elsewhere).key,
    }
    assert len(keys) == 4


def test_what_an_image_inherits_is_one_base_over_all_images_and_the_rest_is_not() -> None:
    base = Base("b" * 32, "debian:12", frozenset({"pkg:deb/debian/openssl@3.0.1", "pkg:deb/debian/zlib@1.3"}))
    homes = [Home(f"subject:{number}", "team:3", f"image{number}", base) for number in range(5)]
    names = ("pkg:deb/debian/openssl", "3.0.1"), ("pkg:deb/debian/zlib", "1.3")
    inherited = [
        cause_of(package(advisory, name, "var/lib/dpkg/status", version), home)
        for home in homes
        for name, version in names
        for advisory in ("CVE-1", "CVE-2")
    ]
    assert len({cause.key for cause in inherited}) == 1
    assert (inherited[0].kind, inherited[0].title) == (CauseKind.BASE_IMAGE, "Base image debian:12")
    own = cause_of(package("CVE-1", "pkg:deb/debian/openssl", "var/lib/dpkg/status", "3.0.9"), homes[0])
    assert own.kind is CauseKind.PACKAGE


def test_one_value_is_one_item_wherever_it_lies_and_its_key_does_not_tell_it() -> None:
    secrets = [found(Kind.SECRET, "key", "f" * 64, path=f"{number}.env", rule_class="secret") for number in range(9)]
    causes = {cause_of(each, Home(f"repository:{n}", "team:3")) for n, each in enumerate(secrets)}
    (one,) = causes
    assert one.kind is CauseKind.SECRET
    assert "f" * 16 not in one.key + one.title


def test_an_action_in_many_workflows_is_one_item_and_its_own_folder_is_none() -> None:
    uses = [
        found(Kind.CONFIGURATION, f"jobs.j{n}.steps[some/action]", "uses: some/action", path=f".github/workflows/{n}.yml", rule_class="x")
        for n in range(9)
    ]  # fmt: skip
    (one,) = {cause_of(each, HOME) for each in uses}
    assert (one.kind, one.title) == (CauseKind.MODULE, "it is wrong: some/action")
    local = found(Kind.CONFIGURATION, "jobs.j.steps[x]", "uses: ./actions/own", path=".github/workflows/1.yml")
    assert cause_of(local, HOME).kind is CauseKind.RULE


def test_what_a_call_makes_wrong_inside_of_a_module_is_one_item_of_the_call() -> None:
    inside = (("inside of the module", "main.tf:3"),)
    hits = [found(Kind.CONFIGURATION, f"module.net.aws_subnet.s{n}", "map_public_ip", path="infra/main.tf", notes=inside) for n in range(9)]
    (one,) = {cause_of(each, HOME) for each in hits}
    assert (one.kind, one.title) == (CauseKind.MODULE, "module.net as called in infra")
    other = found(Kind.CONFIGURATION, "module.dmz.aws_subnet.s", "map_public_ip", path="infra/main.tf", notes=inside)
    assert cause_of(other, HOME) != one


def test_a_weakness_in_a_folder_is_one_item_and_the_folder_next_to_it_another() -> None:
    here = {cause_of(found(Kind.CODE, f"f{n}", "x", path=f"src/f{n}.py"), HOME) for n in range(50)}
    assert len(here) == 1
    assert cause_of(found(Kind.CODE, "f", "x", path="lib/f.py"), HOME) not in here
    assert cause_of(found(Kind.CODE, "f", "x", path="src/f.py", rule_class="weak-hash"), HOME) not in here


@pytest.mark.parametrize(
    ("kind", "parts", "other"),
    [
        (Kind.ENDPOINT, ("shop", "GET /a", "q"), ("shop", "POST /b", "")),
        (Kind.EVENT, ("rule-1", "ada", "x"), ("rule-1", "bob", "y")),
        (Kind.HOST, ("ctl", "sshd"), ("ctl", "sshd")),
    ],
)
def test_what_runs_is_repaired_where_it_runs(kind: Kind, parts: tuple[str, ...], other: tuple[str, ...]) -> None:
    home = Home("subject:9", "team:")
    assert cause_of(found(kind, *parts), home) == cause_of(found(kind, *other), home)


texts = st.text(max_size=40)


@given(kind=st.sampled_from(Kind), parts=st.tuples(texts, texts, texts), path=texts, line=st.integers(0, 10**6))
def test_a_cause_is_a_function_of_what_is_found_and_where(kind: Kind, parts: tuple[str, ...], path: str, line: int) -> None:
    one, again = found(kind, *parts, path=path), found(kind, *parts, path=path)
    if is_gap(one):
        return
    cause = cause_of(one, HOME)
    assert cause == cause_of(again, HOME)
    assert cause.key.startswith(cause.scope)
    assert cause.scope in {HOME.within, HOME.team}
    assert 0 < len(cause.title) <= 200
    assert cause.title.splitlines() == [cause.title]
    assert cause_of(found(kind, *parts, path=path, notes=(("at", str(line)),)), HOME) == cause
