from __future__ import annotations

import pytest
from tests.store.recording_samples import COMMIT, add_subject, add_team, seen, tell, verdict

from assaymark.model.access import TeamId
from assaymark.model.finding import Kind
from assaymark.store import search
from assaymark.store.database import Database
from assaymark.store.search import Asker, Found, Keyed, What

EVERYTHING = Asker(None, None, None)


def _find(database: Database, text: str, asker: Asker = EVERYTHING, keyed: Keyed | None = None) -> Found:
    with database.read() as link:
        return search.search(link, text, asker, keyed=keyed)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("CVE-2021-44228", What.ADVISORY),
        ("ghsa-jfh8-c2jp-5v3q", What.ADVISORY),
        ("RUSTSEC-2020-0001", What.ADVISORY),
        ("pkg:npm/lodash@4.17.20", What.COMPONENT),
        ("lodash", What.COMPONENT),
        ("@babel/core@7.0.0", What.COMPONENT),
        ("openssl <3.0.7", What.COMPONENT),
        ("ruff/S608", What.RULE),
        ("S608", What.RULE),
        ("sql-injection", What.FAMILY),
        ("CWE-89", What.FAMILY),
        ("sha256:" + "a" * 64, What.DIGEST),
        ("deadbeef", What.DIGEST),
        ("scope/1:" + "a" * 32, What.FINGERPRINT),
        ("abcdef123456", What.FINGERPRINT),
        ("src/app/db.py", What.WORDS),
    ],
)
def test_a_text_is_known_by_its_form(text: str, what: What) -> None:
    assert what in search.recognise(text)


@pytest.mark.parametrize("text", ["a" * 2001, ""])
def test_what_is_no_question_is_none(text: str) -> None:
    assert search.recognise(text) == ()


@pytest.mark.parametrize("text", ["a" * 1999, "CVE-" + "1-" * 900, "@" * 1500, "<" * 1500, "a/" * 900, "x@" * 900, "-" * 1900, "a " * 900])
def test_no_text_makes_recognising_slow(text: str) -> None:
    import time  # noqa: PLC0415

    started = time.process_time()
    search.recognise(text)
    assert time.process_time() - started < 0.1


def _sample(database: Database) -> None:
    blue, red = add_team(database, "blue"), add_team(database, "red")
    main = add_subject(database, "group/shop main", team=blue)
    other = add_subject(database, "group/bank main", team=red)
    tell(database, main, verdict(seen("x", "src/order/mail.py")), 10)
    secret = seen("hmac", kind=Kind.SECRET, rule="secrets/token", rule_class="provider-token")
    tell(database, other, verdict(seen("x"), secret, checks=("ruff", "secrets")), 20)


@pytest.mark.parametrize(
    "text",
    ["ruff/S608", "S608", "s608", "sql-injection", "CWE-89", "mail order", seen("x").finding.short_id, seen("x").finding.fingerprint],
)
def test_a_finding_is_found_by_whatever_names_it(database: Database, text: str) -> None:
    _sample(database)
    assert "src/order/mail.py" in [row.path for row in _find(database, text).findings]


@pytest.mark.parametrize("text", [COMMIT, "c" * 40, "c" * 9])
def test_a_commit_is_found_by_its_digest_or_its_beginning(database: Database, text: str) -> None:
    _sample(database)
    assert len(_find(database, text).assessments) == 2


def test_a_subject_is_found_by_a_part_of_its_name(database: Database) -> None:
    _sample(database)
    assert [row.name for row in _find(database, "SHOP").subjects] == ["group/shop main"]


def test_a_secret_is_found_by_its_keyed_identity_alone(database: Database) -> None:
    _sample(database)
    found = _find(database, "whatever-was-pasted", keyed=Keyed("hmac", ("statement", "other")))
    assert found.taken_for == (What.SECRET,)
    assert [row.kind for row in found.findings] == [Kind.SECRET]
    assert _find(database, "whatever-was-pasted", keyed=Keyed("another key", ("statement",))).findings == ()


def test_nothing_of_other_teams_is_found(database: Database) -> None:
    _sample(database)
    teams = frozenset({TeamId(1)})
    asker = Asker(teams, teams, teams)
    assert [row.path for row in _find(database, "ruff/S608", asker).findings] == ["src/order/mail.py"]
    assert len(_find(database, COMMIT, asker).assessments) == 1
    assert _find(database, "bank", asker).subjects == ()
    assert _find(database, "x-value", asker, Keyed("hmac", ("statement",))).findings == ()
    nobody = Asker(frozenset(), frozenset(), frozenset())
    empty = _find(database, COMMIT, nobody)
    assert (empty.assessments, empty.subjects, empty.findings, empty.finding_count) == ((), (), (), 0)


@pytest.mark.parametrize(
    "text", ["%", "' OR '1'='1", "a" * 1990, "\\", "pkg:", "pkg:npm/", "@", "<", "sha256:", "0" * 64, "é" * 50, "x\u0301" * 20, "😀"]
)
def test_whatever_is_typed_is_answered(database: Database, text: str) -> None:
    _sample(database)
    assert isinstance(_find(database, text), Found)
