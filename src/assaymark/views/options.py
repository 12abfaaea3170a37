"""What a report is told besides the verdict. All of it comes in from the shell: no view looks it up."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from assaymark.model.finding import RuleClassId
from assaymark.views.explain import Explanation, find_explanation
from assaymark.views.history import HistoryPoint

Explain = Callable[[RuleClassId], Explanation | None]


class Options(Struct, frozen=True):
    """One set for every format; each takes what concerns it."""

    width: int = 100
    """Columns of the terminal."""
    colour: bool = False
    ascii: bool = False
    """True for terminals that cannot show more than ASCII in our own texts."""
    verbose: bool = False
    category: str = "assaymark"
    """Stable name of this run among others of the same repository (SARIF ``automationDetails``, comment marker); never a commit or tag."""
    project: str = ""
    """Heading of the HTML report."""
    started: str = ""
    """UTC, ``yyyy-mm-ddThh:mm:ss``; GitLab's security reports need both times."""
    finished: str = ""
    history: tuple[HistoryPoint, ...] = ()
    """Oldest first; the HTML report draws the trend from it."""
    fixed_in_sarif: bool = False
    """Also write fixed findings (``baselineState: absent``). Off, because GitHub opens an alert for every result, whatever its state."""
    explain: Explain = find_explanation
