"""Versions of Linux distributions' packages: dpkg (Debian policy 5.6.12), rpm (rpmvercmp with ``~`` and ``^``) and apk (Alpine)."""

from __future__ import annotations

import re

from assaymark.checks.application.dependencies.versions.coding import UnorderableError, number, word

_DPKG = re.compile(r"(?:([0-9]+):)?([0-9A-Za-z.+~:-]*?)(?:-([0-9A-Za-z.+~]*))?\Z", re.ASCII)
_DPKG_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_TILDE, _STOP = b"\x01", b"\x02"
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def dpkg(text: str) -> bytes:
    """Key of ``epoch:upstream-revision``.

    Raises:
        UnorderableError: when it holds characters that dpkg refuses.
    """
    match = _DPKG.match(text.strip())
    if match is None or not match[2]:
        raise UnorderableError("no Debian version")
    epoch, upstream, revision = match.groups()
    return number(epoch or "") + _dpkg_part(upstream) + _dpkg_part(revision or "")


def _dpkg_part(text: str) -> bytes:
    """Words and numbers in turn. ``~`` sorts before the end of a word, the end before letters, letters before the rest."""
    pieces: list[bytes] = []
    for letters, digits in _DPKG_PARTS.findall(text):
        if not letters and not digits:
            break
        pieces += [b"".join(map(_dpkg_letter, letters)), _STOP, number(digits)]
    return b"".join(pieces) + _STOP if pieces else _STOP + number("") + _STOP


def _dpkg_letter(letter: str) -> bytes:
    if letter == "~":
        return _TILDE
    return bytes((ord(letter) if letter in _LETTERS else ord(letter) | 0x80,))


_RPM_PARTS = re.compile(r"[~^]|[0-9]+|[A-Za-z]+", re.ASCII)
_RPM_TILDE, _RPM_END, _RPM_CARET, _RPM_WORD, _RPM_NUMBER = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"


def rpm(text: str) -> bytes:
    """Key of ``epoch:version-release``; without a release it lies before every release.

    Raises:
        UnorderableError: when there is nothing.
    """
    text = text.strip()
    if not text:
        raise UnorderableError("no version")
    epoch, colon, rest = text.partition(":")
    if not (colon and epoch.isascii() and (epoch.isdecimal() or not epoch)):
        epoch, rest = "", text
    version, dash, release = rest.partition("-")
    return number(epoch) + _rpm_part(version) + (b"\x01" + _rpm_part(release) if dash else b"\x00")


def _rpm_part(text: str) -> bytes:
    return b"".join(map(_rpm_piece, _RPM_PARTS.findall(text))) + _RPM_END


def _rpm_piece(piece: str) -> bytes:
    if piece == "~":
        return _RPM_TILDE
    if piece == "^":
        return _RPM_CARET
    return _RPM_NUMBER + number(piece) if piece[0].isdecimal() else _RPM_WORD + word(piece)


_APK = re.compile(
    r"([0-9]+(?:\.[0-9]+)*)((?:[a-z][0-9]*)?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*)(?:~[0-9a-f]+)?(?:-r([0-9]*))?\Z", re.ASCII
)
_APK_SUFFIX = re.compile(r"_([a-z]+)([0-9]*)", re.ASCII)
_APK_RANKS = {"alpha": 1, "beta": 2, "pre": 3, "rc": 4, "cvs": 6, "svn": 7, "git": 8, "hg": 9, "p": 10}
_APK_NO_SUFFIX = b"\x05"


def apk(text: str) -> bytes:
    """Key of an Alpine version. A later number that begins with a zero is a fraction and goes by its digits; commit hashes have no order.

    Raises:
        UnorderableError: when apk does not know such a version.
    """
    match = _APK.match(text)
    if match is None:
        raise UnorderableError("no Alpine version")
    numbers, letter, suffixes, build = match.groups()
    first, *more = numbers.split(".")
    return b"".join(
        (
            number(first),
            *(b"\x01" + word(part) if part[0] == "0" else b"\x02" + number(part) for part in more),
            b"\x00",
            letter[:1].encode() + number(letter[1:]) if letter else b"\x00",
            *(bytes((_APK_RANKS[name],)) + number(digits) for name, digits in _APK_SUFFIX.findall(suffixes)),
            _APK_NO_SUFFIX,
            number(build or ""),
        )
    )
