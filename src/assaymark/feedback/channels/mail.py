"""A person's mail: what waits for him and what changed, as text and as HTML.

Guarantees: words of others are text in both parts: nothing in them is markup, and no mail program finds an address to link in them; links
lead to the server alone. A recipient or subject cannot bring a header of its own. The mail says how it is ended: by a link that works
without signing in, and by the button of mail programs (RFC 8058) where the server has https.
"""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.views.sanitise import one_line, shortened

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z")
_BREAK = "\u200b"
_LONGEST = 200


class Line(Struct, frozen=True):
    """One thing, with its page."""

    title: str
    url: str
    about: str = ""
    """Severity, age, subject: in words of ours and names of others."""


class Section(Struct, frozen=True):
    """Things of one kind."""

    heading: str
    lines: tuple[Line, ...]
    url: str = ""
    """Where all of them are."""
    is_whole: bool = True
    """False when there are more than these."""


class DigestMail(Struct, frozen=True):
    """What a mail says."""

    name: str
    period: str
    """``day`` or ``week``."""
    sections: tuple[Section, ...]
    server: str
    end_url: str
    """By which it is ended."""

    @property
    def waiting(self) -> int:
        return sum(len(each.lines) for each in self.sections)


def checked_address(text: str) -> str:
    """An address that a mail can go to.

    Raises:
        UsageError: when it is none.
    """
    if not _ADDRESS.match(text) or ".." in text:
        raise UsageError(f"{text[:100]!r} is no address of mail", advice="enter one as name@example.org in the account")
    return text


def compose(digest: DigestMail, *, sender: str, to: str, number: str, date: str) -> EmailMessage:
    """The whole message; `number` makes its name unique, `date` is RFC 5322."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = checked_address(to)
    mail["Subject"] = f"Assaymark: {digest.waiting} for you this {digest.period}"
    mail["Date"] = date
    mail["Message-ID"] = f"<{number}@{urlsplit(digest.server).hostname or 'assaymark'}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["List-Unsubscribe"] = f"<{digest.end_url}>"
    if digest.end_url.startswith("https://"):
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(_render("digest.txt", digest), cte="quoted-printable")
    mail.add_alternative(_render("digest.html", digest), subtype="html", cte="quoted-printable")
    return mail


def inert(text: str) -> str:
    """Words of others on one line, in which no mail program finds an address."""
    line = shortened(one_line(text), _LONGEST)
    return re.sub(r"(?i)(?<=www)\.|(?<=\w)\.(?=[a-z]{2,})", f".{_BREAK}", line.replace("://", f":{_BREAK}//").replace("@", f"@{_BREAK}"))


def _render(template: str, digest: DigestMail) -> str:
    return _environment().get_template(template).render(digest=digest)


@cache
def _environment() -> Environment:
    made: Any = Environment(
        loader=PackageLoader("assaymark.feedback.channels"),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["inert"] = inert
    return made  # type: ignore[no-any-return]
