"""A comment for a merge request, and a job summary: short, the details folded away.

Content of others is either a code span that it cannot end, or prose in which every character with a meaning is escaped: it makes no
mention, reference, link, HTML, quick action or table cell. The hidden marker lets one comment be found again and updated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from assaymark.model.verdict import Judged, Outcome, Reason, State, Verdict
from assaymark.views.causes import OF_THE_CHANGE, Cause, causes, count, other_reasons, outcome_sentence, standards_of
from assaymark.views.explain import CodeBlock, Explanation, language_of, platform_of, safe_code
from assaymark.views.options import Options
from assaymark.views.sanitise import location, one_line, shortened
from assaymark.views.terminal_tables import duration

COMMENT_LIMIT = 60_000
"""Characters; GitHub refuses a comment above 65,536."""
PROSE, NAME, NOTICES_SHOWN = 400, 200, 5


class _Room(Struct, frozen=True):
    """How much of each thing is told."""

    causes: int
    places: int
    reasons: int
    details: bool


_ROOMS = (_Room(10, 5, 10, details=True), _Room(10, 5, 10, details=False), _Room(4, 3, 4, details=False), _Room(1, 1, 1, details=False))
"""From what is wanted to what always fits."""
_WORD = {Outcome.PASS: "🔵 Pass", Outcome.FAIL: "🟠 Fail", Outcome.UNPROVEN: "🟣 Unproven"}
_PUNCTUATION = re.compile(r"([!#$%&()*+./:<=>@\[\\\]^_`{|}~-])")
_REFERENCE = re.compile(r"(\\[@#!~%$&:^])(?=\S)")
_BREAK = "&#8203;"
"""Zero-width space after a character that starts a mention or reference, as entity: seen by forges' filters, not by people."""


def marker(category: str) -> str:
    """The hidden first line by which a comment of this category is found again."""
    return f"<!-- assaymark:{re.sub(r'[^a-z0-9.]+', '-', category.lower()).strip('-') or 'assaymark'} -->"


def prose(text: str) -> str:
    """Content as running text without any effect."""
    escaped = (
        _PUNCTUATION.sub(r"\\\1", shortened(one_line(text), PROSE)).replace("\\&", "&amp;").replace("\\<", "&lt;").replace("\\>", "&gt;")
    )
    return re.sub(r"&amp;(?=\S)", f"&amp;{_BREAK}", _REFERENCE.sub(rf"\1{_BREAK}", escaped))


def code(text: str) -> str:
    """Content as a code span."""
    text = shortened(one_line(text), NAME)
    if not text:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def render(verdict: Verdict, options: Options | None = None) -> str:
    """The comment, its marker first."""
    options = options or Options()
    return f"{marker(options.category)}\n{render_summary(verdict, options)}"


def render_summary(verdict: Verdict, options: Options | None = None) -> str:
    """The same without the marker; shorter when a forge would refuse it, and then it says what is left out."""
    options = options or Options()
    texts = (_summary(verdict, options, room) for room in _ROOMS)
    text = ""
    for text in texts:
        if len(text) <= COMMENT_LIMIT:
            break
    return text


def _summary(verdict: Verdict, options: Options, room: _Room) -> str:
    blocks = [f"### {_WORD[verdict.outcome]}: {outcome_sentence(verdict)}", _subject(verdict)]
    reasons = other_reasons(verdict)
    if reasons:
        blocks.append(_reasons(reasons, room))
    found = causes(verdict, [j for j in verdict.findings if j.state in OF_THE_CHANGE and j.waiver is None])
    blocks += [_cause(cause, options, room) for cause in found[: room.causes]]
    if len(found) > room.causes:
        hidden = found[room.causes :]
        blocks.append(f"… and {len(hidden)} more causes with {sum(len(c.findings) for c in hidden)} findings.")
    return "\n\n".join([*blocks, _foot(verdict)]) + "\n"


def _subject(verdict: Verdict) -> str:
    counts = count(verdict)
    numbers = f"**{counts.new}** new, **{counts.fixed}** fixed"
    numbers += f", {counts.known} known" if counts.known else ""
    numbers += f", {counts.newly_known} newly known" if counts.newly_known else ""
    numbers += f", {counts.waived} waived" if counts.waived else ""
    against = "" if verdict.whole else f" against {code(verdict.base.name)}"
    return f"{code(verdict.head.name)}{against}: {numbers}. Policy {code(verdict.policy_level)} stops at {code(verdict.fail_on)}."


def _reasons(reasons: Sequence[Reason], room: _Room) -> str:
    lines = []
    for reason in reasons[: room.reasons]:
        where = code(f"{reason.path}:{reason.line}" if reason.line else reason.path)
        advice = f" *Do this:* {prose(reason.advice)}" if reason.advice else ""
        lines.append(f"- **{reason.kind.value}**{' ' + where if where else ''} {prose(reason.text)}{advice}")
    if len(reasons) > room.reasons:
        lines.append(f"- … and {len(reasons) - room.reasons} more reasons")
    return "\n".join(lines)


def _cause(cause: Cause, options: Options, room: _Room) -> str:
    page = options.explain(cause.rule_class) if room.details else None
    lines = [f"**{cause.severity.value.capitalize()}: {prose(cause.title)}** ({code(cause.rule_class)}{standards_of(cause)})", ""]
    lines += [_place(judged) for judged in cause.findings[: room.places]]
    if len(cause.findings) > room.places:
        lines.append(f"- … and {len(cause.findings) - room.places} more places")
    if cause.advice:
        lines += ["", f"**Fix:** {prose(cause.advice)}"]
    if page:
        lines += ["", *_details(page, cause)]
    return "\n".join(lines)


def _place(judged: Judged) -> str:
    finding = judged.finding
    excerpt = code(finding.statement) or prose(finding.message)
    changed = " changed" if judged.state is State.CHANGED else ""
    return f"- {code(location(finding.place))}{changed}: {excerpt} ({code('assay explain ' + finding.short_id)})"


def _details(page: Explanation, cause: Cause) -> list[str]:
    where = cause.findings[0].finding.place.path
    blocks = safe_code(page, language_of(where), platform_of(where, cause.findings[0].finding.rule))[:1]
    parts = [page.why.split("\n\n")[0], *(_fenced(block) for block in blocks)]
    return ["<details><summary>Why, and safe code</summary>", "", "\n\n".join(parts), "", "</details>"]


def _fenced(block: CodeBlock) -> str:
    return f"```{block.language}\n{block.code}\n```"


def _foot(verdict: Verdict) -> str:
    rows = [f"- {code(run.check)}: {duration(run.seconds)}, {run.hits} of {run.inputs} inputs remembered" for run in verdict.checks]
    notes = [f"- {prose(notice)}" for notice in verdict.notices[:NOTICES_SHOWN]]
    if len(verdict.notices) > NOTICES_SHOWN:
        notes.append(f"- … and {len(verdict.notices) - NOTICES_SHOWN} more notes")
    digests = [f"- head {code(verdict.head.digest)}, policy {code(verdict.policy_digest)}, knowledge {code(verdict.knowledge)}"]
    told = "\n".join([*rows, *notes, *digests])
    return f"<details><summary>{duration(verdict.seconds)}, {len(verdict.checks)} checks</summary>\n\n{told}\n\n</details>"
