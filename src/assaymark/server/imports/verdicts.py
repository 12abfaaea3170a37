"""Our own verdict as JSON, made elsewhere: its findings are taken over, its decision is not.

The identity of each finding is computed again from its core, and its checks get the prefix of imports: whoever may import cannot close or
rename what a check on this server sees.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.finding import CheckId, Witness
from assaymark.model.identity import CURRENT, fingerprint
from assaymark.model.verdict import Judged, State, Verdict
from assaymark.server.imports.found import PREFIX, Ask, Spoken, slug
from assaymark.views.jsonout import FORMAT, VerdictDocument


def read(data: bytes, ask: Ask) -> Spoken:
    """The findings of a verdict over a whole subject.

    Raises:
        UsageError: when it is none, of another scheme of identity, or over a change only.
    """
    try:
        verdict = _verdict(data)
    except UNDECODABLE as error:
        advice = "send what `assay check --all --format json` writes"
        raise UsageError("this is no verdict that is read here", why=str(error)[:300], advice=advice) from error
    if verdict.scheme != CURRENT:
        raise UsageError(f"the verdict names findings by {verdict.scheme[:40]!r}", advice=f"use a release that names them by {CURRENT}")
    if not verdict.whole:
        raise UsageError("the verdict is over a change, not over the whole subject", advice="make it with `assay check --all`")
    judged = tuple(_taken(one, ask) for one in verdict.findings if one.state is not State.FIXED)
    return Spoken(judged=judged, checks=tuple((_check(run.check, ask), run.layer) for run in verdict.checks))


def _verdict(data: bytes) -> Verdict:
    head = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    if "format" in head:
        if msgspec.json.decode(head["format"]) != FORMAT:
            raise msgspec.ValidationError(f"its format is not {FORMAT}")
        return msgspec.json.decode(data, type=VerdictDocument).verdict
    return msgspec.json.decode(data, type=Verdict)


def _check(check: str, ask: Ask) -> CheckId:
    own = slug(check.removeprefix(PREFIX))
    return CheckId(f"{PREFIX}{own}/{slug(ask.category)}" if ask.category else f"{PREFIX}{own}")


def _taken(one: Judged, ask: Ask) -> Judged:
    finding = one.finding
    if not finding.witnesses:
        raise UsageError("a finding of the verdict has no witness", advice="send the verdict as it was written")
    if not finding.core.parts:
        raise UsageError("a finding of the verdict has no core", advice="send the verdict as it was written")
    witnesses = tuple(Witness(_check(each.check, ask), each.rule, each.message) for each in finding.witnesses)
    made = replace(finding, fingerprint=fingerprint(finding.core, CURRENT), witnesses=witnesses)
    return Judged(made, State.KNOWN, one.waiver)
