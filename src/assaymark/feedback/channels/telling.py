"""One happening as a channel is given it: with the address of its page, and words that all channels share.

Guarantees: the address leads to this server and nowhere else, whatever the path holds. Texts are as they came: each channel makes them
harmless for itself.
"""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote

from msgspec import Struct

from assaymark.model.happening import HappeningKind
from assaymark.store.happenings import HappeningRow
from assaymark.views.sanitise import one_line, shortened

_SAFE = "/?&=%:,.-_~+"


class Telling(Struct, frozen=True):
    """What is told."""

    row: HappeningRow
    server: str
    """Its address, without a slash at its end."""

    @property
    def url(self) -> str:
        """Page of what it is about."""
        path = self.row.path if self.row.path.startswith("/") and not self.row.path.startswith("//") else "/"
        return f"{self.server}{quote(path, safe=_SAFE)}"

    @property
    def title(self) -> str:
        """The sentence, on one line and without anything invisible."""
        return shortened(one_line(self.row.title), 300)

    @property
    def when(self) -> str:
        """RFC 3339, in UTC."""
        return dt.datetime.fromtimestamp(self.row.at / 1e6, dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    @property
    def heading(self) -> str:
        """What kind of thing happened, in words of ours."""
        words = _WORDS[self.row.kind]
        if self.row.kind is HappeningKind.VERDICT_CHANGED:
            words = _AFTER.get(self.row.data.get("after", ""), words)
        return words

    @property
    def facts(self) -> list[tuple[str, str]]:
        """(name in words of ours, value) of what is said beside the sentence; values are on one line."""
        row = self.row
        found = [
            ("Subject", row.subject_name),
            ("Repository", row.repository_name if row.repository_name not in row.subject_name else ""),
            ("Severity", row.severity.value if row.severity is not None else ""),
            ("By", row.actor),
        ]
        return [(name, shortened(one_line(value), 200)) for name, value in found if value]


_WORDS = {
    HappeningKind.VERDICT_CHANGED: "The verdict changed",
    HappeningKind.ASSESSMENT_UNPROVEN: "It could not be judged",
    HappeningKind.FINDING_OPENED: "A finding was opened",
    HappeningKind.FINDING_CLOSED: "A finding was closed",
    HappeningKind.ITEM_OPENED: "Something is to be repaired",
    HappeningKind.ITEM_ASSIGNED: "Something was given to somebody",
    HappeningKind.ITEM_CLOSED: "Something is repaired",
    HappeningKind.DECISION_MADE: "A decision was made",
    HappeningKind.DECISION_ENDING: "A decision ends soon",
    HappeningKind.DECISION_ENDED: "A decision ended",
    HappeningKind.REQUEST_ASKED: "A waiver is asked for",
    HappeningKind.REQUEST_ANSWERED: "A request was answered",
    HappeningKind.REPORT_RECEIVED: "A report came in",
    HappeningKind.COMMENT_MADE: "A comment was made",
    HappeningKind.DEADLINE_MISSED: "A deadline was missed",
    HappeningKind.POLICY_CHANGED: "The policy changed",
    HappeningKind.ADVISORY_HIT: "An advisory hits",
    HappeningKind.ENDORSEMENT_WITHDRAWN: "An approval was withdrawn",
    HappeningKind.ENDORSEMENT_MADE: "Something was endorsed",
    HappeningKind.APPROVAL_ASKED: "Somebody has to approve",
    HappeningKind.APPROVAL_ANSWERED: "An approval was answered",
    HappeningKind.DEPLOYMENT_REPLACED: "Another generation is live",
    HappeningKind.DEPLOYMENT_ABORTED: "A deployment was aborted",
    HappeningKind.DEPLOYMENT_STOPPED: "What ran was stopped",
    HappeningKind.DEPLOYMENT_FORCED: "The glass was broken",
    HappeningKind.DEPLOYMENT_UNAPPROVED: "What runs is not approved any more",
    HappeningKind.DRIFT_FOUND: "What runs was changed",
    HappeningKind.PROMOTION_ASKED: "A promotion waits for somebody",
    HappeningKind.PROMOTION_ANSWERED: "A promotion was answered",
    HappeningKind.CONNECTION_PROBLEM: "A connection has a problem",
    HappeningKind.CHANNEL_TESTED: "This is a test",
}
_AFTER = {"pass": "It passes again", "fail": "It fails now", "unproven": "It is unproven now"}
