"""GitHub's check runs, which only an App may write: the verdict with its places in the change, and two buttons. Requests as data.

Guarantees: fifty annotations a request, as many requests as it takes up to a bound, and the conclusion in the last of them, so that a run
is not finished before it is whole; what is unproven or cancelled never concludes as a success. Words of others are plain text or escaped.
https://docs.github.com/en/rest/checks/runs
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from assaymark.feedback.forges.ask import Ask, Target
from assaymark.model.assessment import AssessmentState
from assaymark.model.finding import Finding
from assaymark.model.verdict import Judged, State, Verdict
from assaymark.views import markdown
from assaymark.views.causes import causes, is_gap, outcome_sentence, urgency
from assaymark.views.explain import find_explanation, language_of, platform_of, safe_code
from assaymark.views.options import Options
from assaymark.views.sanitise import one_line, shortened, visible

BATCH, MOST = 50, 500
"""Annotations of one request (GitHub takes no more), and of a run."""
EXPLAIN, WAIVER = "explain", "waiver"
"""Identifiers of the buttons, as they come back in ``check_run.requested_action``."""
_LONGEST = 60_000
_TITLE, _MESSAGE = 200, 4_000
_SHOWN = frozenset({State.NEW, State.CHANGED, State.NEWLY_KNOWN})
_DONE = "success"
_CONCLUSION = {
    AssessmentState.PASS: _DONE,
    AssessmentState.FAIL: "failure",
    AssessmentState.UNPROVEN: "action_required",
    AssessmentState.SUPERSEDED: "cancelled",
    AssessmentState.CANCELLED: "cancelled",
}
_WAITING = {AssessmentState.QUEUED: "queued", AssessmentState.RUNNING: "in_progress"}
_BUTTONS = (
    {"label": "Explain", "description": "Why it matters, and safe code", "identifier": EXPLAIN},
    {"label": "Ask for a waiver", "description": "Let somebody decide on what was found", "identifier": WAIVER},
)


class CheckRun(Struct, frozen=True):
    """What a run says."""

    name: str
    external: str
    """Number of the assessment, which comes back with a button."""
    url: str
    status: str
    conclusion: str
    title: str
    summary: str
    text: str = ""
    annotations: tuple[dict[str, Any], ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether there is no verdict yet."""
        return not self.conclusion

    @property
    def batches(self) -> int:
        """How many requests it takes."""
        return max(1, -(-len(self.annotations) // BATCH))


class About(Struct, frozen=True):
    """Which assessment it is."""

    number: int
    state: AssessmentState
    summary: str
    url: str
    context: str


def run_of(about: About, verdict: Verdict | None, *, explained: bool = False) -> CheckRun:
    """The run; `explained` with the pages of every rule class that was found."""
    found = _annotations(verdict) if verdict is not None else ()
    title = outcome_sentence(verdict) if verdict is not None else about.summary or about.state.value
    summary = markdown.render_summary(verdict, Options()) if verdict is not None else markdown.prose(about.summary or about.state.value)
    hidden = f"\n\n{len(found) - MOST} more places stand on [the page of the verdict]({about.url})." if len(found) > MOST else ""
    return CheckRun(
        name=about.context,
        external=str(about.number),
        url=about.url,
        status=_WAITING.get(about.state, "completed"),
        conclusion=_CONCLUSION.get(about.state, ""),
        title=shortened(one_line(title), _TITLE),
        summary=summary + hidden,
        text=explanations(verdict) if explained and verdict is not None else "",
        annotations=found[:MOST],
    )


def ask(target: Target, run: CheckRun, earlier: str, batch: int) -> Ask:
    """The request with this batch of annotations: it makes the run, or changes the earlier one; the last one concludes it."""
    output: dict[str, Any] = {"title": run.title, "summary": run.summary}
    output |= {"text": run.text} if run.text else {}
    annotations = run.annotations[batch * BATCH : (batch + 1) * BATCH]
    output |= {"annotations": list(annotations)} if annotations else {}
    body: dict[str, Any] = {"name": run.name, "details_url": run.url, "external_id": run.external, "output": output}
    if run.is_open or batch + 1 < run.batches:
        body["status"] = run.status if run.is_open else "in_progress"
    else:
        body |= {"status": "completed", "conclusion": run.conclusion}
        body["actions"] = list(_BUTTONS) if run.conclusion in ("failure", "action_required") else []
    path = f"/repos/{quote(target.repository, safe='/')}/check-runs"
    if earlier:
        return Ask("PATCH", f"{path}/{quote(earlier, safe='')}", body)
    return Ask("POST", path, body | {"head_sha": target.commit})


def explain(target: Target, earlier: str, run: CheckRun) -> Ask:
    """Put the explanations into a run that is there; its annotations stay."""
    output = {"title": run.title, "summary": run.summary, "text": run.text}
    return Ask("PATCH", f"/repos/{quote(target.repository, safe='/')}/check-runs/{quote(earlier, safe='')}", {"output": output})


def _annotations(verdict: Verdict) -> tuple[dict[str, Any], ...]:
    shown = [j for j in verdict.findings if j.state in _SHOWN and j.waiver is None and not is_gap(j.finding) and j.finding.place.path]
    return tuple(_annotation(judged) for judged in sorted(shown, key=urgency))


def _annotation(judged: Judged) -> dict[str, Any]:
    finding, place = judged.finding, judged.finding.place
    start = max(place.line, 1)
    end = max(place.end_line, start)
    made: dict[str, Any] = {"path": visible(place.path), "start_line": start, "end_line": end}
    if place.column and end == start:
        made |= {"start_column": place.column, "end_column": max(place.end_column, place.column)}
    level = "failure" if judged.gates else "notice" if judged.state is State.NEWLY_KNOWN else "warning"
    title = shortened(f"{finding.severity.value}: {visible(finding.core.rule_class)}", _TITLE)
    return made | {"annotation_level": level, "title": title, "message": _message(finding)}


def _message(finding: Finding) -> str:
    fix = f"\nFix: {one_line(finding.fix.advice)}" if finding.fix else ""
    return shortened(one_line(finding.message), _MESSAGE) + fix[:_MESSAGE] + f"\nassay explain {finding.short_id}"


def explanations(verdict: Verdict) -> str:
    """Why each thing that was found matters, and safe code in the language where it is; packaged, so that it needs no network."""
    blocks: list[str] = []
    for cause in causes(verdict, [j for j in verdict.findings if j.state in _SHOWN and j.waiver is None]):
        page = find_explanation(cause.rule_class)
        head = f"### {markdown.prose(cause.title)}"
        if page is None:
            blocks.append(f"{head}\n\n{markdown.prose(cause.advice or 'There is no page about this rule; see what its tool says.')}")
            continue
        where = cause.findings[0].finding.place.path
        code = [f"```{block.language}\n{block.code}\n```" for block in safe_code(page, language_of(where), platform_of(where))[:2]]
        links = [f"- {reference.label or reference.url}: {reference.url}" for reference in page.references]
        blocks.append("\n\n".join([head, page.why, *code, "\n".join(links)]))
    return _joined(blocks)


def _joined(blocks: Sequence[str]) -> str:
    kept: list[str] = []
    for block in blocks:
        if sum(map(len, kept)) + len(block) > _LONGEST:
            kept.append(f"… and {len(blocks) - len(kept)} more.")
            break
        kept.append(block)
    return "\n\n".join(kept)
