"""What an issue says of an item, as plain parts that each tracker writes in its own language. Pure.

Guarantees: what was found is content of others and is escaped by whoever renders it, so that it makes no mention, link, command or markup;
a text holds no value of a secret, because no finding does; its digest changes when, and only when, it says something else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from msgspec import Struct

from assaymark.model.digest import canonical
from assaymark.views.markdown import code, prose

MOST_PLACES = 20
_TITLE = 200
_HANDLE = re.compile(r"@[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)*\Z")


class Spot(Struct, frozen=True):
    """Where one of its findings stands."""

    subject: str
    where: str
    """Path and line."""
    what: str


class Text(Struct, frozen=True):
    """All that an issue says."""

    title: str
    marker: str
    """A word that nobody can have known before, by which the issue is found again."""
    severity: str
    is_open: bool
    findings: int
    subjects: int
    owner: str
    """As CODEOWNERS or people name him; a handle (``@team``) is a mention where the tracker is the one that it is from."""
    advice: str
    url: str
    """The item's page."""
    places: tuple[Spot, ...] = ()

    @property
    def digest(self) -> str:
        return hashlib.sha256(canonical(self)).hexdigest()

    @property
    def summary(self) -> str:
        """The title, with the severity before it."""
        line = f"[{self.severity}] {' '.join(self.title.split())}"
        return line if len(line) <= _TITLE else line[: _TITLE - 1] + "…"

    @property
    def sentences(self) -> tuple[str, ...]:
        """What stands above the places, plain."""
        if not self.is_open:
            return ("Nothing of this stands open any more.",)
        numbers = f"{self.findings} finding{'s' * (self.findings != 1)} in {self.subjects} subject{'s' * (self.subjects != 1)}"
        return (f"One repair removes {numbers}; the worst is {self.severity}.",)


def is_handle(owner: str) -> bool:
    """Whether it can be mentioned as it stands."""
    return bool(_HANDLE.match(owner))


def hidden(marker: str) -> str:
    """The first line by which an issue in Markdown is found again."""
    return f"<!-- {marker} -->"


def in_markdown(text: Text, *, mentions: bool) -> str:
    """For GitHub, GitLab and Gitea."""
    owner = text.owner if mentions and is_handle(text.owner) else prose(text.owner)
    parts = [hidden(text.marker), *(prose(each) for each in text.sentences)]
    parts += [f"**Owner:** {owner}"] if owner and text.is_open else []
    parts += [f"**Do this:** {prose(text.advice)}"] if text.advice and text.is_open else []
    if text.is_open and text.places:
        parts.append("\n".join(_line(each) for each in text.places[:MOST_PLACES]) + _more(text))
    parts.append(f"[The item with all that stands in it]({text.url})")
    return "\n\n".join(parts) + "\n"


def _line(spot: Spot) -> str:
    return f"- {' '.join(filter(None, (prose(spot.subject), code(spot.where))))}: {prose(spot.what)}"


def _more(text: Text) -> str:
    left = text.findings - min(len(text.places), MOST_PLACES)
    return f"\n- … and {left} more" if left > 0 else ""


def plain_lines(text: Text) -> Sequence[str]:
    """The places as plain lines, for languages that have no Markdown."""
    if not text.is_open:
        return ()
    lines = [f"{each.subject} {each.where}: {each.what}".strip() for each in text.places[:MOST_PLACES]]
    more = _more(text).strip().removeprefix("- ")
    return [*lines, more] if more else lines
