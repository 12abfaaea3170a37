"""The table of character pairs: how unusual one character is after another in what people and programs write.

Made from lines that hold no key word and no label, so that no secret teaches it what is usual.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np  # type: ignore[import-not-found, unused-ignore]

from assaymark.checks.application.secrets.candidates import KEY
from assaymark.checks.application.secrets.features import ALPHABET
from training.generic_credentials.labels import LabelledFile

_MOST_OF_A_FILE = 20_000
_FLOOR = 0.3
"""Added to each count: a pair that was never seen is rare, not impossible."""
_OTHER = ALPHABET - 1
_LONGEST_LINE = 400


def table(files: Iterable[LabelledFile]) -> bytes:
    """One byte per pair: minus log2 of its share after its first character, in sixteenths of a bit."""
    counts = np.zeros(ALPHABET * ALPHABET)
    for file in files:
        codes = np.frombuffer(b"\n".join(_plain_lines(file)), dtype=np.uint8).astype(np.int64)
        classes = np.where((codes >= ord(" ")) & (codes < ord(" ") + _OTHER), codes - ord(" "), _OTHER)
        inside = (codes[:-1] != ord("\n")) & (codes[1:] != ord("\n"))
        counts += np.bincount((classes[:-1] * ALPHABET + classes[1:])[inside], minlength=ALPHABET * ALPHABET)
    rows = counts.reshape(ALPHABET, ALPHABET)
    shares = (rows + _FLOOR) / (rows.sum(axis=1, keepdims=True) + _FLOOR * ALPHABET)
    bits: bytes = np.clip(np.round(-16 * np.log2(shares)), 0, 255).astype(np.uint8).tobytes()
    return bits


def _plain_lines(file: LabelledFile) -> Iterable[bytes]:
    labelled = {line for label in file.labels for line in label.lines}
    for number, line in enumerate(file.content[:_MOST_OF_A_FILE].split(b"\n"), 1):
        text = line.strip()
        if number not in labelled and len(text) < _LONGEST_LINE and not KEY.search(text.decode("latin-1")):
            yield text
