"""The whole product on one page: trigger -> subject -> plan -> findings -> verdict; endorsement, deployment and feedback join as they come.

`assay` is what the command line, the hook and the server call; they only make a request and show the answer. Reads through the subjects'
readers and the engine; time comes in. Decides nothing itself: planning, identity and judgement are pure and live in their own rooms.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

import assaymark
from assaymark.checks.settings import CheckSettings, NamedFile, Secret
from assaymark.engine.join import join
from assaymark.engine.links import Known, linking, look_up
from assaymark.engine.plan import Placed, Plan, Side, needs_listing, plan, sides
from assaymark.engine.run import Results
from assaymark.errors import PolicyInvalid
from assaymark.model.check import Check
from assaymark.model.decision import Decision
from assaymark.model.digest import digest_of
from assaymark.model.finding import CheckId, Finding, Kind
from assaymark.model.identity import CURRENT
from assaymark.model.rules import catalogue, mapping_digest
from assaymark.model.subject import Buries, Change, Comparison, Entry, EntryKind, ReaderSpec, Subject, SubjectRef
from assaymark.model.verdict import CheckRun, PolicyTerms, Verdict
from assaymark.verdict import decide as judge
from assaymark.verdict import grounds as judged_by
from assaymark.verdict.baseline import Baseline, newly_known
from assaymark.verdict.given import NOTHING, Given
from assaymark.verdict.globs import matches_any
from assaymark.verdict.grounds import Grounds
from assaymark.verdict.policy import POLICY_FILE, Policy, Unproven, Weakening, narrowed, parse_policy
from assaymark.verdict.vex import Statement, parse_vex

MakeChecks = Callable[[Policy, CheckSettings], Sequence[Check]]
FindLinks = Callable[[Sequence[Check], Sequence[Sequence[Entry]], Sequence[ReaderSpec]], Known]
Decided = Callable[[Sequence[Finding]], tuple[Decision, ...]]
RunPlan = Callable[[Plan, Sequence[Check], Sequence[ReaderSpec], Policy], Results]


_MOST_BYTES = 8 << 20
"""Largest policy, rule file or manifest that is read."""


class Context(Struct, frozen=True):
    """What an assay needs from its surroundings: ports, and the day."""

    today: dt.date
    cache_dir: str
    key: Secret
    make_checks: MakeChecks
    run: RunPlan
    clock: Callable[[], float]
    """Seconds that only ever grow, to tell how long the assay took."""
    settle: Callable[[], None]
    """Upkeep of the memory, for when the answer was given and nobody waits."""
    advisories: str = ""
    """File of the compiled advisories."""
    links: FindLinks = lambda checks, listings, sources: look_up(checks, listings, sources, None)
    """What contents refer to, remembered where there is a memory."""
    decided: Decided = lambda _findings: ()
    """What people decided that may concern these findings of the subject that is judged."""
    keep: Callable[[bytes], str] | None = None
    """Keeps what a verdict was judged by and gives its digest; None where nobody judges again (`verdict.grounds`)."""


class Request(Struct, frozen=True):
    """What is asked."""

    comparison: Comparison
    whole: bool = False
    """Judge everything in head, not only what differs from base."""
    only: frozenset[CheckId] = frozenset()
    """Run these checks alone; empty runs all that the policy leaves on."""
    baseline: Baseline | None = None
    """A recorded baseline instead of a base that can be computed; implies `whole`."""
    given: Given = NOTHING
    """What a server adds: policies of the organisation, and decisions that people took, which `Context.decided` joins."""


def assay(request: Request, context: Context) -> Verdict:
    """Did head make security worse than base?

    Raises:
        PolicyInvalid: when the policy of head is wrong; a wrong policy of base is replaced by the default one and said.
        SubjectUnreadable: when a side cannot be listed.
    """
    started = context.clock()
    comparison = request.comparison
    whole = request.whole or request.baseline is not None
    changes = () if whole else comparison.changes()
    policies, notices = _policies(comparison, changes, whole=whole)
    policies = _with_vex(policies, comparison, whole=whole)
    policy = judge.effective(policies.base, policies.head, context.today, request.given.floors)
    made = context.make_checks(policy, settings_for(comparison.head, policy, context))
    checks = [check for check in made if not request.only or check.id in request.only]
    base, head = linked(_sides(comparison, changes, checks, policy, whole=whole), comparison, checks, context)
    planned = plan(checks, base, head, everything=whole)
    passing = _passing(comparison, checks, policy, whole=whole)
    results = context.run(_with_inputs(planned, passing), checks, (comparison.base.reader(), comparison.head.reader()), policy)
    old, new = (findings_of(placed, results, checks) for placed in (planned.base, planned.head))
    new += _came_and_went(old, new, [f for part in passing for f in findings_of(part.head, results, checks)])
    grounds = _grounds(request, context, _Judgement(policies, planned, results, old, new))
    decision = judged_by.decide(grounds)
    return Verdict(
        outcome=decision.outcome,
        base=SubjectRef("baseline", request.baseline.subject, "") if request.baseline else comparison.base.ref,
        head=comparison.head.ref,
        reasons=decision.reasons,
        findings=decision.judged,
        checks=results.runs,
        policy_level=decision.policy.policy.level,
        fail_on=decision.policy.gate.fail_on,
        knowledge=knowledge_digest(results.runs),
        policy_digest=digest_of(decision.policy),
        scheme=CURRENT,
        whole=whole,
        before=decision.before,
        after=decision.after,
        seconds=context.clock() - started,
        tool_version=assaymark.__version__,
        rules={w.rule: catalogue().describe(w.rule) for j in decision.judged for w in j.finding.witnesses},
        terms=_terms(decision.policy),
        notices=(*notices, *_left_out(planned), *decision.notices, *results.notices),
        policies=tuple(each.policy for each in request.given.floors),
        grounds=context.keep(judged_by.packed(grounds)) if context.keep is not None else "",
    )


def _terms(policy: Policy) -> PolicyTerms:
    gate = policy.gate
    return PolicyTerms(gate.unproven is Unproven.STOP, gate.max_waiver_days, gate.approver_required)


def _left_out(planned: Plan) -> tuple[str, ...]:
    """What an image holds that no check reads, and why; names that are no files need no word."""
    counts = dict(planned.skipped)
    words = {
        EntryKind.VENDOR: "files came with installed packages unchanged: their packages are judged, not their text",
        EntryKind.BINARY: "large binaries were not read",
    }
    return tuple(f"{counts[kind]} {word}" for kind, word in words.items() if kind in counts)


OUTLIVES_DELETION = frozenset({CheckId("secrets")})
"""Checks whose findings stay true when the content is deleted again: they also look at what came and went within a range of commits."""


def _passing(comparison: Comparison, checks: Sequence[Check], policy: Policy, *, whole: bool) -> tuple[Plan, ...]:
    mine = [check for check in checks if check.id in OUTLIVES_DELETION]
    if not mine:
        return ()
    came = [*(() if whole else comparison.passing()), *_buried(comparison, whole=whole)]
    entries = readable(came, policy)
    return (plan(mine, Side(), Side(entries)),) if entries else ()


def _buried(comparison: Comparison, *, whole: bool) -> list[Entry]:
    """What head carries without a name for it, and base neither carries nor shows."""
    found = comparison.head.buried() if isinstance(comparison.head, Buries) else ()
    if whole or not found or not isinstance(comparison.base, Buries):
        return list(found)
    known = {entry.digest for entry in (*comparison.base.buried(), *comparison.base.entries())}
    return [entry for entry in found if entry.digest not in known]


def _with_inputs(planned: Plan, more: Sequence[Plan]) -> Plan:
    inputs = {ref.key: ref for part in (planned, *more) for ref in part.inputs}
    return msgspec.structs.replace(planned, inputs=tuple(inputs.values())) if more else planned


def _came_and_went(old: Sequence[Finding], new: Sequence[Finding], passing: Sequence[Finding]) -> list[Finding]:
    """Each once, and only what neither side holds: those are judged as what they are there."""
    known = {finding.fingerprint for finding in (*old, *new)}
    found = {f.fingerprint: f for f in reversed(passing) if f.fingerprint not in known and f.core.kind is not Kind.UNCHECKED}
    note = ("came and went", "a later commit of this range, or a later layer of this image, removed it; what came before keeps it")
    return [msgspec.structs.replace(f, notes=(*f.notes, note)) for f in found.values()]


class _Policies(Struct, frozen=True):
    base: Policy
    head: Policy
    promised: bool = True
    narrowed: tuple[Weakening, ...] = ()
    base_vex: tuple[Statement, ...] = ()
    head_vex: tuple[Statement, ...] = ()


class _Judgement(Struct, frozen=True):
    policies: _Policies
    planned: Plan
    results: Results
    old: list[Finding]
    new: list[Finding]


def _grounds(request: Request, context: Context, found: _Judgement) -> Grounds:
    """All that the judgement rests on."""
    more = context.decided([*found.old, *found.new])
    given = msgspec.structs.replace(request.given, decisions=(*request.given.decisions, *more))
    head = judge.Side(found.new, found.policies.head, narrowed=found.policies.narrowed, vex=found.policies.head_vex)
    grounds = Grounds(head, context.today, given=given)
    if request.baseline is not None:
        known = request.baseline
        old = [*(row.finding for row in known.findings), *known.gaps]
        base = judge.Side(old, found.policies.base, known.tried(), vex=found.policies.base_vex)
        now: dict[str, str] = {run.check: run.knowledge for run in found.results.runs}
        return msgspec.structs.replace(grounds, base=base, newly_known=newly_known(known, found.new, now))
    if request.whole:
        return grounds
    tried = frozenset((p.key.check, p.key.digest) for p in found.planned.base)
    base = judge.Side(found.old, found.policies.base, tried, promised=found.policies.promised, vex=found.policies.base_vex)
    return msgspec.structs.replace(grounds, base=base, touched=_touched(request.comparison, found))


def _touched(comparison: Comparison, found: _Judgement) -> Mapping[str, Sequence[tuple[int, int]]]:
    """Which lines the change wrote, asked only for files that hold the same finding more often than before."""
    old: dict[tuple[str, str], int] = {}
    for finding in found.old:
        old[finding.place.path, finding.fingerprint] = old.get((finding.place.path, finding.fingerprint), 0) + 1
    paths = set()
    for finding in found.new:
        key = (finding.place.path, finding.fingerprint)
        if key in old:
            old[key] -= 1
            if old[key] < 0:
                paths.add(finding.place.path)
    return comparison.touched_lines([(path, path) for path in sorted(paths)]) if paths else {}


def knowledge_digest(runs: Iterable[CheckRun]) -> str:
    """One digest over everything that the answers depended on."""
    return digest_of([mapping_digest(), CURRENT, sorted((run.check, run.version, run.knowledge) for run in runs)])


def findings_of(placed: Iterable[Placed], results: Results, checks: Sequence[Check], scheme: str = CURRENT) -> list[Finding]:
    """Findings of one side, from what a run found out."""
    kinds = {check.id: (check.layer, check.unit) for check in checks}
    return join(placed, results.outcomes, kinds, catalogue(), scheme)


def _sides(comparison: Comparison, changes: Sequence[Change], checks: Sequence[Check], policy: Policy, *, whole: bool) -> tuple[Side, Side]:
    if whole:
        entries = readable(comparison.head.entries(), policy)
        return Side(whole=()), Side(entries=entries, whole=entries)
    base, head = sides(changes)
    base, head = (Side(entries=readable(side.entries, policy)) for side in (base, head))
    if not needs_listing(checks, base, head):
        return base, head
    return (
        Side(base.entries, readable(comparison.base.entries(), policy)),
        Side(head.entries, readable(comparison.head.entries(), policy)),
    )


def linked(sides_: tuple[Side, Side], comparison: Comparison, checks: Sequence[Check], context: Context) -> tuple[Side, Side]:
    """Both sides with what their contents refer to, for checks whose units reach beyond a folder."""
    listings = [side.whole or () for side in sides_]
    if not any(listings) or not linking(checks):
        return sides_
    found = context.links(checks, listings, (comparison.base.reader(), comparison.head.reader()))
    base, head = (msgspec.structs.replace(side, links=found) for side in sides_)
    return base, head


def readable(entries: Iterable[Entry], policy: Policy) -> list[Entry]:
    """Entries that the policy does not exclude."""
    exclude = policy.checks.exclude
    return [e for e in entries if not matches_any(e.path, exclude)] if exclude else list(entries)


# --- the policy and what it names -----------------------------------------------------------------------------------


def _policies(comparison: Comparison, changes: Sequence[Change], *, whole: bool) -> tuple[_Policies, tuple[str, ...]]:
    """Base's and head's policy; one read serves both when the change left the file alone."""
    head = policy_of(comparison.head)
    changed = {_name(change) for change in changes}
    if whole or POLICY_FILE not in changed:
        return _Policies(head, head, narrowed=() if whole else _narrowed(comparison, head, changed)), ()
    data = comparison.base.file(POLICY_FILE, limit=_MOST_BYTES)
    notices: tuple[str, ...] = ()
    try:
        base = parse_policy(data) if data is not None else Policy()
    except PolicyInvalid as error:
        base, notices = Policy(), (f"the base's {POLICY_FILE} could not be read and counts as the default policy: {error.what}",)
    return _Policies(base, head, promised=data is not None, narrowed=_narrowed(comparison, base, changed)), notices


def _narrowed(comparison: Comparison, base: Policy, changed: set[str]) -> tuple[Weakening, ...]:
    """Files that base's policy names and that ask for less in head."""
    found: list[Weakening] = []
    for setting, paths in (
        ("secret_rules", base.checks.secret_rules),
        ("manifests", base.checks.manifests),
        ("policies", base.checks.policies),
    ):
        for path in paths:
            if path in changed:
                sides = (side.file(path, limit=_MOST_BYTES) or b"" for side in (comparison.base, comparison.head))
                found += narrowed(path, setting, *sides)
    return tuple(found)


def _with_vex(policies: _Policies, comparison: Comparison, *, whole: bool) -> _Policies:
    """The statements of both sides' documents; of base those that still can be read."""
    head = vex_of(comparison.head, policies.head)
    if whole:
        return msgspec.structs.replace(policies, base_vex=head, head_vex=head)
    base: tuple[Statement, ...] = ()
    for path in policies.base.checks.vex:
        data = comparison.base.file(path, limit=_MOST_BYTES)
        with contextlib.suppress(PolicyInvalid):
            base += parse_vex(data, path) if data is not None else ()
    return msgspec.structs.replace(policies, base_vex=base, head_vex=head)


def vex_of(subject: Subject, policy: Policy) -> tuple[Statement, ...]:
    """The statements of the documents that a policy names.

    Raises:
        PolicyInvalid: when one is not there or is none.
    """
    files = _named(subject, policy.checks.vex, "checks.vex")
    return tuple(statement for file in files for statement in parse_vex(file.content, file.name))


def policy_of(subject: Subject) -> Policy:
    """The policy that a subject carries, or the default one.

    Raises:
        PolicyInvalid: when it carries one that is wrong.
    """
    data = subject.file(POLICY_FILE, limit=_MOST_BYTES)
    return parse_policy(data) if data is not None else Policy()


def _name(change: Change) -> str:
    entry = change.after or change.before
    return entry.path if entry else ""


def settings_for(head: Subject, policy: Policy, context: Context) -> CheckSettings:
    """What the checks are told; files that the policy names are read from head, so both sides are judged by the same rules."""
    return CheckSettings(
        cache_dir=context.cache_dir,
        installation_key=context.key,
        secret_rules=_named(head, policy.checks.secret_rules, "checks.secret_rules"),
        manifests=_named(head, policy.checks.manifests, "checks.manifests"),
        advisories=context.advisories,
        policies=_named(head, policy.checks.policies, "checks.policies"),
    )


def _named(head: Subject, paths: Sequence[str], setting: str) -> tuple[NamedFile, ...]:
    files = []
    for path in paths:
        data = head.file(path, limit=_MOST_BYTES)
        if data is None:
            raise PolicyInvalid(f"{POLICY_FILE}: {setting} names {path}, which is not there", advice="correct the path or take it out")
        files.append(NamedFile(path, data))
    return tuple(files)
