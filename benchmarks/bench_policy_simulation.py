"""How long does it take to judge verdicts again under other policies, on both databases; and what do rules add to one judgement?

    python benchmarks/bench_policy_simulation.py [--verdicts N] [--findings N] [--dry]

Each verdict rests on a number of findings per side as a merge request of some files has (the median is small, a few are large: `_sizes`);
the grounds are kept in the blobs as the server keeps them, and the handler itself is run: database, blobs, decoding, judgement, recording.
Two policies are asked, with a floor and ten rules. Wall seconds, with the CPU seconds of the process beside them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure
from benchmarks.bench_server_components import postgres

from assaymark.jobs.open import prepare as prepare_queue
from assaymark.model.digest import Digest, sha256
from assaymark.model.finding import CheckId, Core, Finding, Fingerprint, Kind, Layer, Place, RuleClassId, RuleId, Witness
from assaymark.model.severity import Confidence, Severity
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.server.work import simulate
from assaymark.store import simulations, tables
from assaymark.store.migrations.apply import migrate
from assaymark.store.simulations import Wish
from assaymark.verdict import decide as judge
from assaymark.verdict import grounds as judged_by
from assaymark.verdict.given import Given
from assaymark.verdict.grounds import Grounds
from assaymark.verdict.organisation import OrganisationPolicy, in_force_for
from assaymark.verdict.organisation_file import parse
from assaymark.verdict.policy import Policy
from assaymark.verdict.rules import About

FAMILIES = ("sql-injection", "weak-hash", "shell-injection", "path-traversal", "xss", "hard-coded", "open-redirect", "ssrf")
_RULE = """
  - id: r{n}
    when: finding.family == "{family}" && finding.rank >= rank.{severity} && !finding.path.startsWith("legacy/")
    action: {action}
    message: not here
    advice: repair it
"""


def policies() -> tuple[OrganisationPolicy, ...]:
    """A floor with rules over findings, and a few over the change."""
    rules = "".join(
        _RULE.format(n=n, family=family, severity=("high", "critical")[n % 2], action=("stop", "warn")[n % 2])
        for n, family in enumerate(FAMILIES)
    )
    change = "".join(
        f"  - id: {name}\n    over: change\n    when: {when}\n    action: require-approval\n    message: m\n    advice: a\n"
        for name, when in (("many", "change.brings.high > 12"), ("waived", 'decisions.exists(d, d.days > 90 && d.source == "policy")'))
    )
    text = f"kind: Policy\nmetadata: {{name: base, version: 1.0.0}}\nfloor: {{fail_on: high, unproven: stop}}\nrules:{rules}"
    return parse(f"{text}---\nkind: Policy\nmetadata: {{name: more, version: 1.0.0}}\nrules:\n{change}".encode(), "bench")


def side(random_: random.Random, many: int) -> list[Finding]:
    """Findings of one side."""
    found = []
    for number in range(many):
        family, name = random_.choice(FAMILIES), random_.randrange(4 * many + 1)
        message = f"something about {family} that is said in a sentence of usual length ({name})"
        found.append(
            Finding(
                Fingerprint(f"v1:{sha256(f'{family}{name}'.encode())[7:39]}"),
                Core(Kind.CODE, RuleClassId(family), (f"module.function_{name % 7}", f"call(argument_{name})")),
                Place(f"{random_.choice(('app', 'legacy', 'tests'))}/part_{name % 40}.py", number + 1, 5, number + 1, 40),
                Layer.APPLICATION,
                random_.choice(list(Severity)),
                random_.choice(list(Confidence)),
                (Witness(CheckId("ruff"), RuleId(f"ruff/S{name % 90}"), message),),
                Digest(f"sha256:{name:064x}"),
                statement=f"value = call(argument_{name})  # a statement as long as they are",
            )
        )
    return found


def _sizes(random_: random.Random, most: int) -> int:
    """Few findings mostly, many sometimes."""
    return min(most, int(random_.paretovariate(0.7) * 3))


def grounds(random_: random.Random, most: int) -> Grounds:
    """What a verdict rested on."""
    old = side(random_, _sizes(random_, most))
    new = [*random_.sample(old, len(old) // 2), *side(random_, _sizes(random_, most))]
    about = About("merge-request", "shop/web !7", "shop/web", "shop", "main", "merge-request", "ana")
    return Grounds(judge.Side(new, Policy()), dt.date(2026, 11, 28), judge.Side(old, Policy()), given=Given(about=about))


def fill(service: Service, verdicts: int, most: int) -> dict[str, float]:
    """Verdicts with their grounds; gives what they weigh."""
    random_ = random.Random(28)
    rows, findings, weight = [], 0, 0
    for number in range(verdicts):
        kept = grounds(random_, most)
        data = judged_by.packed(kept)
        findings += len(kept.head.findings) + len(kept.base.findings if kept.base else ())
        weight += len(data)
        state = judged_by.decide(kept).outcome.value
        rows.append({"state": state, "grounds": service.blobs.put(data), "verdict": f"sha256:{number:064x}", "trigger": "merge-request"})
    with service.database.write() as link:
        made = {"kind": "merge-request", "key": "1", "name": "shop/web !7", "created_at": 1}
        subject = link.execute(tables.subject.insert().returning(tables.subject.c.id), made).scalar_one()
        link.execute(tables.assessment.insert(), [{**row, "subject": subject, "queued_at": 1, "finished_at": 2} for row in rows])
    return {"findings_each": round(findings / verdicts, 1), "kib_each": round(weight / verdicts / 1024, 1)}


def measured(url: str, folder: Path, verdicts: int, most: int) -> dict[str, Any]:
    """The handler over all of them."""
    settings = load({"HOME": str(folder)}, data=str(folder / f"data-{url.partition(':')[0]}"), database=url)
    service = open_service(settings)
    migrate(service.database)
    prepare_queue(service.database)
    found: dict[str, Any] = fill(service, verdicts, most)
    asked = policies()
    texts = {each.metadata.name: msgspec.json.encode(each).decode() for each in asked}
    with service.database.write() as link:
        wish = Wish("bench", None, simulate.named(link, asked, service), msgspec.json.encode(texts).decode(), verdicts)
        number = simulations.add(link, wish, service.now())
    wall, cpu = time.perf_counter(), time.process_time()
    simulate.simulate(service, {"simulation": number}, simulate.Patient())
    found |= {"seconds": round(time.perf_counter() - wall, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}
    with service.database.read() as link:
        row = simulations.get(link, number)
    assert row is not None
    assert row.state == "done", row.problem
    found |= {name: getattr(row.counts, name) for name in ("judged", "stopped", "let_through", "otherwise", "same", "unknown")}
    service.database.close()
    return found


def one_judgement(many: int) -> dict[str, float]:
    """What rules add to the judgement of a large change."""
    random_ = random.Random(1)
    kept = Grounds(judge.Side(side(random_, many), Policy()), dt.date(2026, 11, 28), judge.Side([], Policy()))
    rules, floors = in_force_for(policies(), About())
    found: dict[str, float] = {"findings": many, "rules": len(rules)}
    for name, given in (("without", Given()), ("with", Given(rules=rules, floors=floors))):
        best = min(_timed(judged_by.under(kept, given)) for _ in range(3))
        found[f"cpu_ms_{name}"] = round(best * 1000, 1)
    return found


def _timed(kept: Grounds) -> float:
    started = time.process_time()
    judged_by.decide(kept)
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=500)
    parser.add_argument("--findings", type=int, default=400, help="most of one side")
    parser.add_argument("--dry", action="store_true", help="write no result")
    options = parser.parse_args()
    facts = measure.announce("Policies asked about verdicts that were given")
    found: dict[str, Any] = {"verdicts": options.verdicts}
    with measure.bench_folder() as folder, postgres(folder) as url:
        found["sqlite"] = measured(f"sqlite:///{folder / 'policies.db'}", folder, options.verdicts, options.findings)
        if url is not None:
            found["postgresql"] = measured(url, folder, options.verdicts, options.findings)
    found["one_judgement"] = one_judgement(5000)
    for name in ("sqlite", "postgresql"):
        case = found.get(name, {})
        if case:
            said = f"{case['judged']} verdicts in {case['seconds']} s ({case['cpu_seconds']} s CPU)"
            print(f"  {name}: {said}, {case['stopped']} would be stopped")
    single = found["one_judgement"]
    said = f"{single['cpu_ms_without']} ms CPU, with {single['rules']} rules {single['cpu_ms_with']} ms"
    print(f"  one judgement of {single['findings']} findings: {said}")
    if not options.dry:
        measure.write("policy_simulation", facts, found)


if __name__ == "__main__":
    main()
