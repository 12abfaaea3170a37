"""``/.well-known/security.txt`` (RFC 9116): to whom something is reported, set by an administrator.

Guarantees: what is served keeps the RFC's form: a contact, one expiry within a year, at most one list of languages; nothing is served
before somebody set it. Is not signed.
"""

from __future__ import annotations

import datetime as dt
import re
from urllib.parse import urlsplit

from msgspec import Struct

from assaymark.model.access import Permission
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.api import rights
from assaymark.server.api.route import Call, Nothing, Router
from assaymark.server.problem import invalid, not_found
from assaymark.store import setting_rows, trail
from assaymark.store.trail import Action

router = Router("security.txt")
NAME = "security.txt"
_LONGEST, _MOST = 500, 10
_DAY = 86400 * SECOND
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


class SecurityTxt(Struct, frozen=True, forbid_unknown_fields=True):
    """What it says."""

    contact: tuple[str, ...]
    """``https://``, ``mailto:`` or ``tel:``, the preferred one first; a link for reports is one."""
    days: int = 180
    """Until it expires, from when it is set; at most 366."""
    policy: str = ""
    acknowledgments: str = ""
    encryption: str = ""
    hiring: str = ""
    languages: tuple[str, ...] = ()
    """Preferred ones, e.g. ``en``."""


class Kept(Struct, frozen=True):
    """What is served, and until when."""

    document: SecurityTxt
    expires_at: Instant


_NOTHING = Kept(SecurityTxt(()), Instant(0))


@router.add("GET", "/security-txt", Permission.SETTINGS_WRITE)
def get_security_txt(call: Call) -> Kept:
    """What is served as security.txt."""
    call.need(Permission.SETTINGS_WRITE, None)
    found = kept(call)
    if found is None:
        raise not_found("security.txt")
    return found


@router.add("PUT", "/security-txt", Permission.SETTINGS_WRITE)
def put_security_txt(call: Call, body: SecurityTxt) -> Kept:
    """Set what is served as security.txt."""
    call.need(Permission.SETTINGS_WRITE, None)
    _check(body)
    now = call.service.now()
    made = Kept(body, Instant(now + body.days * _DAY))
    with call.service.database.write() as link:
        setting_rows.put(link, NAME, made, now)
        by = rights.by(call)
        details = {"contact": ", ".join(body.contact)[:1000]}
        trail.record(link, Action(now, by.actor, "security-txt.set", "success", by.person, "setting", NAME, None, by.origin, details))
    return made


@router.add("DELETE", "/security-txt", Permission.SETTINGS_WRITE, status=204)
def remove_security_txt(call: Call) -> Nothing:
    """Serve none any more."""
    call.need(Permission.SETTINGS_WRITE, None)
    with call.service.database.write() as link:
        if setting_rows.remove(link, NAME):
            by = rights.by(call)
            done = Action(call.service.now(), by.actor, "security-txt.removed", "success", by.person, "setting", NAME, None, by.origin)
            trail.record(link, done)
    return Nothing()


def kept(call: Call) -> Kept | None:
    """What was set; None before that."""
    with call.service.database.read() as link:
        found = setting_rows.get(link, NAME, Kept, _NOTHING)
    return None if found is _NOTHING else found


def text_of(found: Kept, url: str) -> str:
    """The document (RFC 9116, section 2)."""
    said = found.document
    expires = dt.datetime.fromtimestamp(found.expires_at // SECOND, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [f"Contact: {each}" for each in said.contact] + [f"Expires: {expires}"]
    fields = {"Encryption": said.encryption, "Acknowledgments": said.acknowledgments, "Policy": said.policy, "Hiring": said.hiring}
    lines += [f"{name}: {value}" for name, value in fields.items() if value]
    lines += [f"Preferred-Languages: {', '.join(said.languages)}"] if said.languages else []
    if url.startswith("https://"):
        lines.append(f"Canonical: {url}/.well-known/security.txt")
    return "\n".join(lines) + "\n"


def _check(body: SecurityTxt) -> None:
    if not 1 <= len(body.contact) <= _MOST:
        raise invalid(f"contact names 1 to {_MOST} ways", "give the address of a link for reports, or mailto:security@…")
    for each in body.contact:
        if not _is_uri(each, ("https", "mailto", "tel")):
            raise invalid(f"{each[:80]!r} is no contact", "write it as https://…, mailto:… or tel:…")
    for name in ("policy", "acknowledgments", "encryption", "hiring"):
        value = getattr(body, name)
        if value and not _is_uri(value, ("https", "dns", "openpgp4fpr") if name == "encryption" else ("https",)):
            raise invalid(f"{name} is no address", "write it as https://…")
    if not 1 <= body.days <= 366:
        raise invalid("days is a number from 1 to 366", "the RFC recommends less than a year")
    if len(body.languages) > _MOST or not all(_LANGUAGE.fullmatch(each) for each in body.languages):
        raise invalid("languages are tags like en or pt-BR")


def _is_uri(text: str, schemes: tuple[str, ...]) -> bool:
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > _LONGEST:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.netloc if parts.scheme == "https" else parts.path)
