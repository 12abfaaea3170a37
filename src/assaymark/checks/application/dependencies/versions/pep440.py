"""PEP 440, Python's versions: epoch, release without trailing zeros, pre, post, dev, local (section "Summary of permitted suffixes and
relative ordering"). What is no such version (a legacy one) has no key.
"""

from __future__ import annotations

import re

from assaymark.checks.application.dependencies.versions.coding import UnorderableError, number, word

_FORM = re.compile(
    r"""\s*v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)
        (?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]*))?
        (?:-([0-9]+)|[-_.]?(?:post|rev|r)[-_.]?([0-9]*))?
        (?:[-_.]?(dev)[-_.]?([0-9]*))?
        (?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*\Z""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)*\Z", re.ASCII)
_STAGES = {"a": b"\x02", "alpha": b"\x02", "b": b"\x03", "beta": b"\x03", "c": b"\x04", "rc": b"\x04", "pre": b"\x04", "preview": b"\x04"}
_DEV_ALONE, _FINAL = b"\x01", b"\x05"
_MORE, _NO_MORE = b"\x01", b"\x00"
_PLAIN_END = _FINAL + b"\x00" + b"\x01" + b"\x00"
"""Of a version that is a release and nothing else: no stage, no post, no dev, no local part."""


def pep440(text: str) -> bytes:
    """Key of a version.

    Raises:
        UnorderableError: when PEP 440 does not know such a version.
    """
    if _PLAIN.match(text):
        return number("") + _release(text) + _PLAIN_END
    match = _FORM.match(text)
    if match is None:
        raise UnorderableError("no version of PEP 440")
    epoch, release, stage, stage_number, implicit, post, dev, dev_number, local = match.groups()
    is_post = implicit is not None or post is not None
    return b"".join(
        (
            number(epoch or ""),
            _release(release),
            _stage(stage, stage_number, dev_alone=dev is not None and not is_post),
            b"\x01" + number(implicit or post or "") if is_post else b"\x00",
            b"\x00" + number(dev_number) if dev is not None else b"\x01",
            _local(local),
        )
    )


def _release(text: str) -> bytes:
    numbers = [number(part) for part in text.split(".")]
    while numbers and numbers[-1] == b"\0":
        numbers.pop()
    return b"".join(_MORE + part for part in numbers) + _NO_MORE


def _stage(stage: str | None, digits: str, *, dev_alone: bool) -> bytes:
    if stage is None:
        return _DEV_ALONE if dev_alone else _FINAL
    return _STAGES[stage.lower()] + number(digits)


def _local(text: str | None) -> bytes:
    if text is None:
        return b"\x00"
    parts = re.split(r"[-_.]", text.lower())
    return b"\x01" + b"".join(b"\x02" + number(part) if part.isdecimal() else b"\x01" + word(part) for part in parts) + b"\x00"
