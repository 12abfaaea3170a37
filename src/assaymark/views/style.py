"""A terminal's looks: a few styles and symbols, each with a plain twin.

Nothing is said by colour alone: every colour goes with a word and a symbol. Blue, orange and grey are told apart by colour-blind people
too, so red and green are not used. No library: start-up time is part of the product.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from assaymark.model.severity import Severity
from assaymark.model.verdict import Outcome

_RESET = "\x1b[0m"


class Style(Struct, frozen=True):
    """How to write on one terminal."""

    colour: bool = False
    ascii: bool = False
    width: int = 100

    _PLAIN: ClassVar[dict[int, str]] = {
        ord("✓"): "+", ord("✗"): "x", ord("▲"): "^", ord("·"): "|", ord("…"): "...", ord("▮"): "#", ord("▯"): ".", ord("→"): "->",
        ord("─"): "-", ord("“"): '"', ord("”"): '"', ord("’"): "'", ord("▁"): "_", ord("▂"): ".", ord("▃"): "-", ord("▄"): "=",
        ord("▅"): "+", ord("▆"): "*", ord("▇"): "%", ord("█"): "#", ord("–"): "-", ord("—"): "-",
    }  # fmt: skip

    def _painted(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}{_RESET}" if self.colour and text else text

    def strong(self, text: str) -> str:
        return self._painted("1", text)

    def faint(self, text: str) -> str:
        return self._painted("2", text)

    def bad(self, text: str) -> str:
        return self._painted("1;38;5;208", text)

    def good(self, text: str) -> str:
        return self._painted("1;38;5;33", text)

    def doubt(self, text: str) -> str:
        return self._painted("1;38;5;141", text)

    def code(self, text: str) -> str:
        return self._painted("38;5;39", text)

    def outcome(self, outcome: Outcome) -> str:
        """Symbol and word."""
        match outcome:
            case Outcome.PASS:
                return self.good("✓ PASS")
            case Outcome.FAIL:
                return self.bad("✗ FAIL")
            case Outcome.UNPROVEN:
                return self.doubt("? UNPROVEN")

    def severity(self, severity: Severity) -> str:
        """Word and a meter of four cells, as wide for every severity."""
        text = f"{'▮' * severity.rank}{'▯' * (4 - severity.rank)} {severity.value.upper():<8}"
        if severity.rank >= Severity.HIGH.rank:
            return self.bad(text)
        return self.strong(text) if severity is Severity.MEDIUM else self.faint(text)

    def finish(self, text: str) -> str:
        """The text as this terminal can show it; with `ascii`, characters beyond it become their twins or escapes."""
        if not self.ascii:
            return text
        return text.translate(self._PLAIN).encode("ascii", "backslashreplace").decode("ascii")
