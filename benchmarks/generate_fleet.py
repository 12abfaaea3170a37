"""A fleet as it may look after five years: repositories, merge requests, images and hosts with what was found in them, from when to when.

    python benchmarks/generate_fleet.py <database URL> [--findings 1000000] [--subjects 10000] [--seed 5]

Reproducible by its seed, the same rows on both databases. Few subjects hold most findings, few rules are behind most of them, three of ten
are still open; one finding in five stands in many subjects. Rows are written past the application, because that is fast; the guards of the
database hold all the same. Indexes are built afterwards, as when a backup is restored.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import sqlalchemy as sa

from assaymark.model.severity import Severity
from assaymark.store import bulk, fulltext
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate
from assaymark.store.recording import FINDING_COLUMNS, OCCURRENCE_COLUMNS
from assaymark.store.tables import assessment, finding, occurrence, posture, repository, subject, team

DAY = 86_400 * 1_000_000
NOW = 1_780_000_000 * 1_000_000
"""The end of the history: a day in 2026."""
YEARS = 5
START = NOW - YEARS * 365 * DAY
TEAMS = 40
_CLASSES = ("sql-injection", "command-injection", "path-traversal", "vulnerable-component", "provider-token", "unpinned-dependency",
            "weak-hash", "open-to-the-world", "privileged-container", "cross-site-scripting")  # fmt: skip
_KINDS = (("code", 42), ("component", 31), ("configuration", 19), ("secret", 4), ("host", 2), ("unchecked", 2))
_SEVERITIES = ((4, 3), (3, 17), (2, 45), (1, 30), (0, 5))
_LAYERS = {"configuration": "infrastructure", "host": "platform"}
_WORDS = (
    "order", "user", "invoice", "report", "session", "token", "cache", "queue", "export", "search", "billing", "login", "upload", "payment",
    "account", "mail", "audit",
)  # fmt: skip


class Plan(NamedTuple):
    """How much of what."""

    findings: int = 1_000_000
    subjects: int = 10_000
    seed: int = 5
    assessments: int = 20
    """Per subject, on the average."""


class _Subject(NamedTuple):
    id: int
    kind: str
    team: int
    created: int
    ended: int | None


def generate(database: Database, plan: Plan) -> dict[str, float]:
    """Write it; gives seconds per part."""
    seconds: dict[str, float] = {}
    chance = random.Random(plan.seed)
    dropped = _drop_indexes(database)
    for name, part in (("places", _places), ("assessments", _assessments), ("findings", _findings)):
        started = time.perf_counter()
        with database.write() as connection:
            part(connection, plan, chance)
        seconds[name] = time.perf_counter() - started
    started = time.perf_counter()
    _settle(database, dropped)
    seconds["indexes"] = time.perf_counter() - started
    return seconds


def _drop_indexes(database: Database) -> list[sa.Index]:
    found = sorted((index for table in (assessment, occurrence) for index in table.indexes), key=lambda index: str(index.name))
    with database.write() as connection:
        for index in found:
            index.drop(connection)
        if not database.is_sqlite:
            connection.exec_driver_sql("DROP INDEX ix_occurrence_text")
    return found


def _settle(database: Database, dropped: Sequence[sa.Index]) -> None:
    with database.write() as connection:
        for index in dropped:
            index.create(connection)
        if not database.is_sqlite:
            for words in fulltext.statements("postgresql"):
                connection.exec_driver_sql(words.replace("%", "%%"))
            for table in (team, repository, subject, assessment, finding):
                words = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), (SELECT max(id) FROM {table.name}))"
                connection.exec_driver_sql(words)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM (ANALYZE)")


def subjects_of(plan: Plan) -> list[_Subject]:
    """Who they are, without a database: kinds in their usual shares, most merge requests ended long ago."""
    chance = random.Random(plan.seed + 1)
    made = []
    for number in range(1, plan.subjects + 1):
        kind = _pick(chance, (("branch", 18), ("merge-request", 64), ("tag", 5), ("image", 9), ("environment", 2), ("host", 2)))
        created = START + int(chance.random() ** 0.6 * (NOW - START))
        ended = None
        if kind == "merge-request" and chance.random() < 0.93:
            ended = min(NOW - DAY, created + int(chance.expovariate(1 / (9 * DAY))))
        made.append(_Subject(number, kind, min(TEAMS, 1 + int(chance.paretovariate(0.7))), created, ended))
    return made


def _places(connection: sa.Connection, plan: Plan, chance: random.Random) -> None:
    bulk.add(connection, team, ("id", "slug", "name", "created_at"), ((n, f"team-{n}", f"Team {n}", START) for n in range(1, TEAMS + 1)))
    rows = [
        (n, f"group-{n % 97}/{chance.choice(_WORDS)}-{n}", f"https://git.example.org/{n}.git", 1 + n % TEAMS, START) for n in _count(plan)
    ]
    bulk.add(connection, repository, ("id", "name", "clone_url", "team", "created_at"), rows)
    names = ("id", "kind", "key", "name", "ref", "repository", "team", "created_at", "ended_at", "head")
    bulk.add(connection, subject, names, (_subject_row(each, rows) for each in subjects_of(plan)))


def _count(plan: Plan) -> range:
    return range(1, max(2, plan.subjects // 5) + 1)


def _subject_row(each: _Subject, repositories: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    place = repositories[each.id % len(repositories)]
    in_git = each.kind in ("branch", "merge-request", "tag")
    ref = {"branch": "refs/heads/main", "merge-request": f"!{each.id}", "tag": f"refs/tags/v{each.id}"}.get(each.kind, "")
    name = f"{place[1]} {ref}" if in_git else f"{each.kind}-{each.id}.example.org/{place[1]}"
    return (each.id, each.kind, f"{each.kind}:{each.id}", name, ref, place[0] if in_git else None, each.team, each.created, each.ended,
            _digest("head", each.id)[:40])  # fmt: skip


def _digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def _assessments(connection: sa.Connection, plan: Plan, chance: random.Random) -> None:
    names = (
        "id", "subject", "team", "state", "trigger", "actor", "head", "queued_at", "started_at", "finished_at", "summary",
        "trigger_details", "new_findings", "level",
    )  # fmt: skip
    bulk.add(connection, assessment, names, _assessment_rows(plan, chance))


def _assessment_rows(plan: Plan, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    moments = []
    for each in subjects_of(plan):
        life = (each.ended or NOW) - each.created
        count = max(1, int(chance.expovariate(1 / plan.assessments)))
        moments += [(each.created + int(chance.random() * life), each) for _ in range(count)]
    moments.sort(key=lambda pair: pair[0])
    for number, (at, each) in enumerate(moments, 1):
        state = _pick(chance, (("pass", 78), ("fail", 12), ("unproven", 5), ("superseded", 4), ("cancelled", 1)))
        trigger = {"merge-request": "merge-request", "environment": "deployment"}.get(each.kind, "push")
        commit = _digest(max(1, number - 50))[:40]  # of a deployment: what came some while before
        details = f'{{"kind":"deployment","after":"{commit}"}}' if trigger == "deployment" else "{}"
        yield (number, each.id, each.team, state, trigger, f"person-{number % 500}", _digest(number)[:40], at, at + 1_000_000,
               at + 9_000_000, "nothing that stops the line", details, number % 3, "production")  # fmt: skip


# --- findings --------------------------------------------------------------------------------------------------------


class _Rule(NamedTuple):
    kind: str
    layer: str
    rule_class: str
    rule: str
    check: str
    severity: int
    title: str


def _rules(chance: random.Random) -> list[_Rule]:
    made = []
    for number in range(400):
        kind = _pick(chance, _KINDS)
        check = {"component": "dependencies", "secret": "secrets", "configuration": "terraform", "host": "host"}.get(kind, "ruff")
        rule_class = (
            "unchecked" if kind == "unchecked" else f"{_CLASSES[number % len(_CLASSES)]}-{number // 20}" if number > 9 else _CLASSES[number]
        )
        words = f"{chance.choice(_WORDS)} {chance.choice(_WORDS)}"
        rule = f"{check}/{'CVE-20' if kind == 'component' else 'R'}{number}"
        layer = _LAYERS.get(kind, "application")
        made.append(_Rule(kind, layer, rule_class, rule, check, _pick(chance, _SEVERITIES), f"The {words} is open to others"))
    return made


def _findings(connection: sa.Connection, plan: Plan, chance: random.Random) -> None:
    rules = _rules(chance)
    weights = list(accumulate(1 / (n + 4) for n in range(len(rules))))
    distinct = plan.findings * 6 // 10
    of_rule = [bisect(weights, chance.random() * weights[-1]) for _ in range(distinct)]
    rows = (_finding_row(n, rules[of_rule[n - 1]]) for n in range(1, distinct + 1))
    bulk.add(connection, finding, ("id", *FINDING_COLUMNS), rows)
    counts: dict[int, list[int]] = {}
    bulk.add(
        connection,
        occurrence,
        (*OCCURRENCE_COLUMNS, "closed_at", "closed_by"),
        _occurrence_rows(plan, chance, [rules[n] for n in of_rule], counts),
    )
    _summaries(connection, plan, counts)


def _finding_row(number: int, rule: _Rule) -> tuple[Any, ...]:
    core = f'["{rule.kind}","{rule.rule_class}",["{number}","x"]]'
    return (
        number,
        f"scope/1:{_digest('finding', number)[:32]}",
        rule.kind,
        rule.layer,
        rule.rule_class,
        rule.rule,
        rule.title,
        core,
        f"key/{_digest('value', number)}" if rule.kind == "secret" else "",
        START,
    )


def _occurrence_rows(plan: Plan, chance: random.Random, rules: Sequence[_Rule], counts: dict[int, list[int]]) -> Iterator[tuple[Any, ...]]:
    subjects = subjects_of(plan)
    shares = list(accumulate((0.15 if each.kind == "merge-request" else 1) / (n % 1000 + 3) for n, each in enumerate(subjects)))
    distinct = len(rules)
    for number in range(plan.findings):
        each = subjects[min(len(subjects) - 1, bisect(shares, chance.random() * shares[-1]))]
        which = number if number < distinct else int(distinct * chance.random() ** 4)
        rule = rules[which]
        opened = each.created + int(chance.random() * ((each.ended or NOW) - each.created))
        closed = each.ended
        if chance.random() < 0.66:
            closed = min(closed or NOW - DAY, opened + int(chance.expovariate(1 / (120 * DAY))))
        tally = counts.setdefault(each.id, [0] * 5)
        seen_gone = 1 if closed is not None and closed != each.ended else None  # by the first assessment: which one, nobody asks here
        waived = int(number % 50 == 0)
        if closed is None and rule.kind != "unchecked" and not waived:
            tally[rule.severity] += 1
        path = f"src/{chance.choice(_WORDS)}/{chance.choice(_WORDS)}_{number % 997}.py"
        line = number % 900 + 1
        detail = '{"statement":"run(' + str(which) + ')","column":5}'
        message = f"{rule.title}: {chance.choice(_WORDS)} {which % 5000}"
        yield (which + 1, each.id, each.team, rule.kind, rule.layer, rule.rule_class, rule.rule, rule.severity, 2, path, line, line,
               message, detail, number, waived, waived, None, rule.check, opened, None, opened, closed, seen_gone)  # fmt: skip


def _summaries(connection: sa.Connection, plan: Plan, counts: dict[int, list[int]]) -> None:
    state = sa.select(assessment.c.state).where(assessment.c.subject == subject.c.id).order_by(assessment.c.id.desc()).limit(1)
    connection.execute(subject.update().values(state=state.scalar_subquery(), judged_at=sa.func.coalesce(subject.c.ended_at, NOW)))
    ids = sorted(counts)
    names = [f"open_{each.value}" for each in Severity if each is not Severity.INFO]
    bulk.change(connection, subject, ids, {name: [counts[n][rank] for n in ids] for rank, name in enumerate(names, 1)})
    rows = []
    for each in subjects_of(plan):
        tally = counts.get(each.id, [0] * 5)
        life = (each.ended or NOW) - each.created
        for step in range(1, plan.assessments + 1):
            shown = [count * step // plan.assessments for count in reversed(tally)]
            rows.append((each.id, each.created + life * step // plan.assessments, *shown))
    rows.sort(key=lambda row: row[1])
    bulk.add(connection, posture, ("subject", "at", "critical", "high", "medium", "low", "info"), rows)


def _pick(chance: random.Random, shares: Sequence[tuple[Any, int]]) -> Any:
    at = chance.random() * sum(weight for _, weight in shares)
    for value, weight in shares:
        at -= weight
        if at < 0:
            return value
    return shares[-1][0]


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words.add_argument("url")
    words.add_argument("--findings", type=int, default=Plan().findings)
    words.add_argument("--subjects", type=int, default=Plan().subjects)
    words.add_argument("--seed", type=int, default=Plan().seed)
    given = words.parse_args()
    database = Database(given.url)
    migrate(database)
    for name, seconds in generate(database, Plan(given.findings, given.subjects, given.seed)).items():
        print(f"{name}: {seconds:.1f} s")


if __name__ == "__main__":
    main()
