"""The check as the engine meets it: dialects, knowledge, skips, positions, user rules, cache."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assaymark.checks.application.secrets import judging, prefilter, versions
from assaymark.checks.application.secrets.check import SecretsCheck, make
from assaymark.checks.application.secrets.expressions import Expression
from assaymark.checks.settings import CheckSettings, NamedFile, Secret
from assaymark.errors import EngineMissing, PolicyInvalid
from assaymark.model.check import Checked, Dialect, Input, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import Sighting

Scan = Callable[..., tuple[Sighting, ...]]


def run(check: SecretsCheck, text: str, dialect: str = "text") -> tuple[Sighting, ...]:
    ((_, result),) = check.run([Input(sha256(text.encode()), Dialect(dialect), (Part("", text.encode()),))])
    assert isinstance(result, Checked)
    return result.sightings


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("app/.env.production", "dotenv"),
        ("home/.netrc", "netrc"),
        (".docker/config.json", "docker-config"),
        ("x/.kube/config", "kubeconfig"),
        ("a/terraform.tfstate.backup", "tfstate"),
        ("Dockerfile.dev", "shell"),
        ("src/a.py", "code"),
        ("poetry.lock", "lock"),
        ("i18n/de.json", "messages"),
        ("LICENSE", "text"),
        ("logo.png", "text"),
        ("web/.htpasswd", "htpasswd"),
    ],
)
def test_a_name_gives_a_dialect(path: str, dialect: str, secrets_check: SecretsCheck) -> None:
    assert secrets_check.select(path) == dialect


def test_binary_content_is_skipped_and_said_so(outcome: Callable[..., Checked]) -> None:
    assert outcome(b"\x7fELF\0\0password=1").skipped == "binary"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_text_is_read(encoding: str, scan: Scan, maker: Any) -> None:
    mark = b"\xff\xfe" if encoding.endswith("le") else b"\xfe\xff"
    (found,) = scan(mark + f'é\r\npassword = "{maker.password()}"\r\n'.encode(encoding), "code")
    assert found.span is not None
    assert (found.span.start_line, found.span.start_column) == (2, 13)


def test_undecodable_bytes_count_as_one_column_each(scan: Scan, maker: Any) -> None:
    (found,) = scan(b"\xff\xfa \xf0\x9f\x98\x80 " + f'password = "{maker.password()}"\n'.encode(), "code")
    assert found.span is not None
    assert found.span.start_column == 5 + 13


def test_making_the_check_and_asking_what_it_knows_loads_no_engine(secrets_cache: str) -> None:
    program = (
        "import sys\nfrom assaymark.checks.application.secrets.check import make\n"
        "from assaymark.checks.settings import CheckSettings, Secret\n"
        f"c = make(CheckSettings(cache_dir={secrets_cache!r}, installation_key=Secret(b'k')))\nc.select('a.py'); c.knowledge()\n"
        "unwanted = ('hyperscan', 'kingfisher_sdk', 'yaml', 'tomllib', 'importlib.resources', 'importlib.metadata', 'pathlib')\n"
        "print([m for m in unwanted if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert shown.stdout.strip() == "[]"


def test_a_clean_text_loads_neither_layers_nor_reporting(secrets_cache: str, secrets_check: SecretsCheck) -> None:
    program = (
        "import sys\nfrom assaymark.checks.application.secrets.check import make\n"
        "from assaymark.checks.settings import CheckSettings, Secret\nfrom assaymark.model.check import Input, Part\n"
        f"c = make(CheckSettings(cache_dir={secrets_cache!r}, installation_key=Secret(b'k')))\n"
        "texts = {'a.py': b'def f(x):\\n    return x + 1\\n', 'b.md': b'# Title\\nwords\\n', 'c.yml': b'a: 1\\nb: [x, y]\\n'}\n"
        "outcomes = list(c.run([Input(n, c.select(n), (Part('', t),)) for n, t in texts.items()]))\n"
        "assert len(outcomes) == 3 and all(o.sightings == () for _, o in outcomes)\n"
        "own = 'assaymark.checks.application.secrets.'\n"
        "unwanted = [own + n for n in ('reporting', 'candidates', 'judging', 'provider_rules', 'scoring', 'confirmer')] + ['tomllib', 'kingfisher_sdk']\n"  # noqa: E501
        "print([m for m in unwanted if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert shown.stdout.strip() == "[]"


def test_a_text_with_more_places_than_are_judged_is_unchecked_and_says_why(
    secrets_check: SecretsCheck, monkeypatch: pytest.MonkeyPatch, maker: Any
) -> None:
    monkeypatch.setattr(judging, "MOST_WINDOWS", 50)
    line = f'password = "{maker.password()}"\n'
    assert len(run(secrets_check, line * 50, "code")) == 50
    text = (maker.github() + "\n" + line * 51).encode()
    ((_, result),) = secrets_check.run([Input(sha256(text), Dialect("code"), (Part("", text),))])
    assert isinstance(result, Unchecked)
    assert result.reason_class == "complexity"
    assert "More than 50 lines" in result.reason


def test_far_more_than_four_thousand_marked_lines_are_all_judged_in_bounded_time(secrets_check: SecretsCheck, maker: Any) -> None:
    value = maker.password()
    text = "".join(f'token_{number} = "getter_{number % 7}"\n' for number in range(12_000)) + f'password = "{value}"\n'
    started = time.process_time()
    found = run(secrets_check, text, "code")
    assert time.process_time() - started < 20
    assert [s.span.start_line for s in found if s.span and s.rule == "secrets/password"] == [12_001]


def test_knowledge_depends_on_key_rules_and_engines(secrets_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def known(key: bytes = b"a", rules: tuple[NamedFile, ...] = ()) -> str:
        return make(CheckSettings(cache_dir=secrets_cache, installation_key=Secret(key), secret_rules=rules)).knowledge()

    rule = NamedFile("r.toml", b"[[rules]]\nid = 'a'\nregex = 'ab+'\n")
    plain = known()
    monkeypatch.setattr(versions, "kingfisher_version", lambda: "")
    assert len({plain, known(), known(b"b"), known(rules=(rule,))}) == 4
    monkeypatch.setattr(versions, "hyperscan_version", lambda: "")
    with pytest.raises(EngineMissing):
        known()


def test_without_kingfisher_our_own_rules_still_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maker: Any) -> None:
    monkeypatch.setattr(versions, "kingfisher_version", lambda: "")
    check = make(CheckSettings(cache_dir=str(tmp_path), installation_key=Secret(b"k")))
    assert [s.rule for s in run(check, f"x = {maker.github()}")] == ["secrets/github-token"]
    assert not (tmp_path / "kingfisher").exists()


@pytest.mark.parametrize("damage", [b"", b"assaymark prefilter 1\n", None])
def test_a_damaged_database_is_built_again(damage: bytes | None, tmp_path: Path) -> None:
    builds: list[int] = []

    def foreign() -> list[Expression]:
        builds.append(1)
        return [Expression("x:y", "abc")]

    prefilter.load(str(tmp_path), "one", foreign)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-3] + b"xyz" if damage is None else damage)
    loaded = prefilter.load(str(tmp_path), "one", foreign)
    prefilter.load(str(tmp_path), "one", foreign)
    assert len(builds) == 2
    assert loaded.scan(b"..abc..") == [(0, 5)]
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]


def test_a_cache_folder_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert prefilter.load(str(blocked), "one", lambda: [Expression("x:y", "abc")]).scan(b"abc") == [(0, 3)]


TEAM = """
[[rules]]
id = "team-token"
description = "Token of the team"
regex = '''(?i)\\bteam_([a-z0-9]{12})\\b'''
keywords = ["team_"]
entropy = 2.0
[[rules.allowlists]]
stopwords = ["example"]
"""


def test_a_rule_of_the_user_is_applied_with_its_allowlist(user_check: Callable[[str], SecretsCheck]) -> None:
    check = user_check(TEAM)
    assert [(s.rule, s.message) for s in run(check, "x Team_" + "a9k2m4p7q1z8")] == [("secrets/user.team-token", "Token of the team")]
    assert run(check, "x Team_" + "example9k2m4") == ()
    assert run(check, "x Team_" + "aaaaaaaaaaaa") == ()


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("[[rules]]\nid='p'\nregex='a'\npath='x'", "path"),
        ("[[rules]]\nid='p'\nregex='(a'", "regular expression"),
        ("[[rules]]\nid='p'", "no regex"),
        ("[[rules]]\nid='p'\nregex='a'\nvalidate='x'", "unknown field"),
        ("[[rules]]\nid='p'\nregex='(a)'\nsecretGroup=3", "secretGroup"),
        ("[[rules]]\nid='p'\nregex='(a+)+b'", "exponential"),
        ("[[rules]]\nid='p'\nregex='a'\n[[rules]]\nid='p'\nregex='b'", "two rules"),
        ("[extend]\nuseDefault=true", "only what the file itself holds"),
        ("= nothing", ""),
    ],
)
def test_a_rule_that_cannot_be_used_is_named_with_the_reason(toml: str, reason: str, user_check: Callable[[str], SecretsCheck]) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        user_check(toml).knowledge()
    assert reason in caught.value.why
    assert "team.toml" in caught.value.what


def test_flags_in_the_middle_and_posix_classes_are_translated(user_check: Callable[[str], SecretsCheck]) -> None:
    check = user_check("[[rules]]\nid='f'\nregex='''abc((?i)[[:alpha:]]{2}x)(?:q|[]]z)\\z'''\n")
    assert len(run(check, "abcDEXq")) == 1
    assert run(check, "ABCDEXq") == ()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=400), st.text(alphabet="pasword=:\"'token key-_{}<>$()[]\\\n\t/@.,;%#0129AZ+é😀", max_size=300).map(str.encode)
    ),
    dialect=st.sampled_from(
        ["code", "config", "text", "yaml", "json", "xml", "dotenv", "shell", "properties", "netrc", "htpasswd", "pgpass"]
    ),
)
def test_any_bytes_give_an_outcome_with_spans_inside_the_text(data: bytes, dialect: str, outcome: Callable[..., Checked]) -> None:
    result = outcome(data, dialect)
    assert outcome(data, dialect) == result
    lines = data.split(b"\n")
    for found in result.sightings:
        assert found.span is not None
        assert 1 <= found.span.start_line <= found.span.end_line <= len(lines)
        assert found.span.start_column >= 1


def test_the_memory_of_lines_changes_no_answer(secrets_check: SecretsCheck, secrets_cache: str, maker: Any) -> None:
    text = "".join(f'password_{i} = "{maker.password()}"\n' for i in range(40)) * 2
    fresh = make(CheckSettings(cache_dir=secrets_cache, installation_key=Secret(b"an installation key for tests 00")))
    used = run(secrets_check, text, "code")
    assert run(secrets_check, text, "code") == used == run(fresh, text, "code")


@pytest.mark.parametrize(
    "line",
    [
        'password="' + "a" * 200_000,
        "key=" * 50_000,
        "://a:" * 50_000,
        "eyJ" + "a" * 100_000,
        "-----BEGIN RSA PRIVATE " + "KEY-----" * 5_000,
        "password" * 30_000,
    ],
)
def test_hostile_lines_end_in_time(line: str, scan: Scan) -> None:
    started = time.process_time()
    scan(line, "text")
    assert time.process_time() - started < 5


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.binary(max_size=5000), dialect=st.sampled_from(["code", "yaml", "json", "xml", "text", "dotenv"]))
def test_a_long_run_of_bytes_never_fails(data: bytes, dialect: str, outcome: Callable[..., Checked]) -> None:
    assert isinstance(outcome(data, dialect), Checked)
