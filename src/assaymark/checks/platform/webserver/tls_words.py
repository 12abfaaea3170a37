"""What both servers' rules say about TLS and its headers, so that one weakness has one wording."""

from __future__ import annotations

import re

from assaymark.checks.platform.webserver.profile import admitted, outdated, profile, weak


def weak_protocols(named: list[str]) -> list[str]:
    """Those of the named protocols that fail against known attacks."""
    return [name for name in named if name.casefold() in {each.casefold() for each in profile().broken.protocols}]


def weak_words(text: str, prefix: str = "") -> list[str]:
    """What is broken about a cipher string; `prefix` is what the server itself puts before it."""
    return weak(admitted(f"{prefix}:{text}")[0])


def outdated_words(text: str, prefix: str = "") -> list[str]:
    """What a cipher string admits beside the profile, when nothing in it is broken."""
    chosen = admitted(f"{prefix}:{text}")[0]
    return [] if weak(chosen) else outdated(chosen)


def weak_groups(text: str) -> list[str]:
    """Groups of a list whose strength is below 112 bits."""
    broken = {each.casefold() for each in profile().broken.groups}
    return [name for name in re.split(r"[:,\s]+", text) if name.casefold() in broken]


def max_age(value: str) -> int | None:
    """Seconds of an HSTS header; None when it has none or a variable decides."""
    found = re.search(r"max-age\s*=\s*\"?(\d{1,12})", value, re.IGNORECASE)
    return int(found[1]) if found else None


def hsts_too_short(value: str) -> bool:
    """Whether an HSTS header ends before it helps. One of 0 seconds takes a promise back and is meant."""
    seconds = max_age(value)
    return seconds is not None and 0 < seconds < profile().hsts_least_seconds


def frames_guarded(headers: dict[str, str]) -> bool:
    """Whether other sites are kept from showing the pages in a frame; header names in lower case."""
    return "x-frame-options" in headers or "frame-ancestors" in headers.get("content-security-policy", "") or _varies(headers)


def _varies(headers: dict[str, str]) -> bool:
    return "$" in headers.get("content-security-policy", "") or "%{" in headers.get("content-security-policy", "")


_TOO_WIDE = frozenset({"/", "/etc", "/root", "/home", "/var", "/usr", "/proc", "/sys", "/var/lib", "/var/log"})


def is_system_folder(path: str) -> bool:
    """Whether a document root shows files of the machine rather than pages."""
    plain = path.rstrip("/") or "/"
    return plain in _TOO_WIDE or plain.startswith(("/etc/", "/root/", "/proc/"))


def lies_below(path: str, folder: str) -> bool:
    """Whether a written path lies in a written folder."""
    return folder.startswith("/") and len(folder.rstrip("/")) > 1 and path.startswith(folder.rstrip("/") + "/")


def covers_everybody(network: str) -> bool:
    """Whether a network holds a sixteenth of all addresses or more."""
    found = re.fullmatch(r"(?:[\d.]+|[\da-fA-F:]*:[\da-fA-F:]*)/(\d{1,3})", network)
    return found is not None and int(found[1]) <= 4
