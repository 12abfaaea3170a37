"""The composition root: one place that joins configuration, checks, engine and memory into a `flow.Context`.

Both shells (command line and hook) use it, so that what one can do the other can. Imports of checks happen when they are made.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Sequence

import msgspec

from assaymark.checks.plugins import installed, load
from assaymark.checks.registry import BUILT_IN, EXTERNAL, OPTIONAL, concerned
from assaymark.checks.settings import CheckSettings
from assaymark.config import Config
from assaymark.engine.executor import Executor
from assaymark.engine.facts import FactsStore
from assaymark.engine.limits import MEBIBYTE, Limits
from assaymark.engine.links import Known, look_up
from assaymark.engine.plan import Plan
from assaymark.engine.progress import NullProgress, Progress
from assaymark.engine.run import Means, Results, run
from assaymark.errors import PolicyInvalid
from assaymark.flow import Context, knowledge_digest
from assaymark.model.check import Check
from assaymark.model.subject import Entry, ReaderSpec
from assaymark.model.verdict import Verdict
from assaymark.verdict.policy import Policy


def context(
    config: Config,
    *,
    progress: Progress | None = None,
    remember: bool = True,
    executor: Executor | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Context:
    """A context of this machine; `remember` False works without the facts store, `executor` None takes the local one.

    `cancelled` is asked a few times a second; once it says yes, what is left is unchecked.
    """
    memory = FactsStore(config.cache, limit_bytes=config.facts_bytes) if remember else None

    def perform(plan: Plan, checks: Sequence[Check], sources: Sequence[ReaderSpec], policy: Policy) -> Results:
        limits = Limits(max_bytes=policy.limits.file_mib * MEBIBYTE, overall_seconds=float(policy.limits.seconds))
        means = Means(memory=memory, limits=limits, progress=progress or NullProgress(), cancelled=cancelled, executor=executor)
        results = run(plan, checks, sources, means)
        return _dated(results, config)

    def links(checks: Sequence[Check], listings: Sequence[Sequence[Entry]], sources: Sequence[ReaderSpec]) -> Known:
        return look_up(checks, listings, sources, memory)

    return Context(
        today=config.today,
        cache_dir=config.cache,
        key=config.key,
        make_checks=make_checks,
        run=perform,
        clock=time.monotonic,
        settle=memory.settle if memory is not None else _nothing,
        advisories=config.advisories,
        links=links,
    )


_OLD_DAYS = 14
"""Advisories that are older say little of today: on a usual day about a hundred are published."""


def _dated(results: Results, config: Config) -> Results:
    """With a notice when lock files were compared with old advisories; a check knows no day, so it cannot say so itself."""
    if not any(each.check == "dependencies" and each.inputs and each.knowledge for each in results.runs):
        return results
    from assaymark.checks.application.dependencies.matching.snapshot import open_index  # noqa: PLC0415 - only where there are lock files

    index, meta = open_index(config.advisories)
    compiled = meta["compiled"][:10]
    index.close()
    age = (config.today - dt.date.fromisoformat(compiled)).days
    notice = f"lock files were compared with advisories of {compiled}, {age} days ago: run `assay advisories update`"
    return msgspec.structs.replace(results, notices=(*results.notices, notice)) if age > _OLD_DAYS else results


def _nothing() -> None:
    """Without a memory there is nothing to keep up."""


def settings_of(config: Config) -> CheckSettings:
    """Settings without a policy's rule files, for `doctor` and warming up."""
    return CheckSettings(cache_dir=config.cache, installation_key=config.key, advisories=config.advisories)


def _switched_on(policy: Policy) -> dict[str, str]:
    wrong = [name for name in policy.checks.enable if name not in OPTIONAL]
    if wrong:
        raise PolicyInvalid(
            f"checks.enable names {', '.join(wrong)}", why="there is no such optional check", advice=f"known are {', '.join(OPTIONAL)}"
        )
    return {name: OPTIONAL[name] for name in policy.checks.enable}


def make_checks(policy: Policy, settings: CheckSettings, *, paths: Collection[str] | None = None) -> list[Check]:
    """Every check that the policy leaves on; with `paths` those of ours are left out that can select none of these names.

    Raises:
        PolicyInvalid: when the policy switches off or on a check that does not exist, or two checks have one name.
    """
    known = {**BUILT_IN, **_switched_on(policy), **installed(settings.cache_dir)}
    # Files of policies are read by the checks that they are for, and a mistake in one is told whatever has changed.
    wanted = BUILT_IN if paths is None or settings.policies else concerned(paths)
    left_out = {*policy.checks.disable, *(name for name in BUILT_IN if name not in wanted)}
    checks = [load(reference)(settings) for name, reference in known.items() if name not in left_out]
    if settings.manifests:
        make_external: Callable[..., Check] = load(EXTERNAL)
        external = [make_external(settings, manifest) for manifest in settings.manifests]
        known |= {check.id: EXTERNAL for check in external}
        checks += [check for check in external if check.id not in policy.checks.disable]
    unknown = [name for name in policy.checks.disable if name not in known]
    if unknown:
        raise PolicyInvalid(
            f"checks.disable names {', '.join(unknown)}", why="there is no such check", advice=f"known are {', '.join(known)}"
        )
    if len({check.id for check in checks}) < len(checks):
        raise PolicyInvalid("two checks have one name", advice="rename the manifest's id")
    return checks


class Narrowed:
    """Makes the checks that a change of these names can concern, and tells of the others when there is something to tell.

    A check that selects none of the changed names finds nothing and has no gap, so an answer without a word is the same without it.
    To load the others takes a hook as long as to ask git.
    """

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = paths
        self._asked: tuple[Policy, CheckSettings] | None = None

    def of(self, surroundings: Context) -> Context:
        """The same context with fewer checks."""
        return msgspec.structs.replace(surroundings, make_checks=self._make)

    def whole(self, verdict: Verdict) -> Verdict:
        """The verdict as it is with all checks."""
        if self._asked is None:
            return verdict
        known = {each.check: each for each in verdict.checks}
        every = make_checks(*self._asked)
        idle = run(Plan((), (), (), ()), [check for check in every if check.id not in known], ())
        known |= {each.check: each for each in idle.runs}
        runs = tuple(known[check.id] for check in every)
        return msgspec.structs.replace(verdict, checks=runs, knowledge=knowledge_digest(runs))

    def _make(self, policy: Policy, settings: CheckSettings) -> list[Check]:
        self._asked = policy, settings
        return make_checks(policy, settings, paths=self._paths)
