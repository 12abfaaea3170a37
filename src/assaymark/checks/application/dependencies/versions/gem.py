"""RubyGems (`Gem::Version`): numbers and words in turn, words before numbers, missing ones count as zero. CocoaPods orders the same way."""

from __future__ import annotations

import re

from assaymark.checks.application.dependencies.versions.coding import (
    ABOVE_ZEROS,
    BELOW_ZEROS,
    END,
    UnorderableError,
    number,
    word,
    zeros,
)

_FORM = re.compile(r"[0-9](?:\.?[0-9A-Za-z])*(?:-(?:\.?[0-9A-Za-z-])+)?\Z", re.ASCII)
_SEGMENTS = re.compile(r"[0-9]+|[A-Za-z]+", re.ASCII)


def gem(text: str) -> bytes:
    """Key of a version; a hyphen stands for ``.pre.``, as Ruby reads it.

    Raises:
        UnorderableError: when RubyGems refuses it.
    """
    text = text.strip()
    if not _FORM.match(text):
        raise UnorderableError("no gem version")
    segments: list[str] = _SEGMENTS.findall(text.replace("-", ".pre."))
    first_word = next((index for index, segment in enumerate(segments) if not segment.isdecimal()), len(segments))
    pieces: list[bytes] = []
    for part in (segments[:first_word], segments[first_word:]):
        while part and not part[-1].strip("0"):
            part.pop()
        pieces += _pieces(part)
    return b"".join(pieces) + END


def _pieces(segments: list[str]) -> list[bytes]:
    pieces: list[bytes] = []
    run = 0
    for segment in segments:
        is_number = segment.isdecimal()
        if is_number and not segment.strip("0"):
            run += 1
            continue
        if run:
            pieces.append(zeros(run, then_more=is_number))
            run = 0
        pieces.append(ABOVE_ZEROS + number(segment) if is_number else BELOW_ZEROS + word(segment))
    return pieces
