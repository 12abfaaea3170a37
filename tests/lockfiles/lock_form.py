"""What a sample of a lock file is."""

from __future__ import annotations

import textwrap

from msgspec import Struct

SUM = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
SRI = "sha512-9/u6bgY2+JDlb7vzKD5STG+jIErimDgtYkdB0NxmODJuKCxBvl5CVNiCB3LFUYosWowMf37aGVlKfrU5RT4e1w=="


class Sample(Struct, frozen=True):
    dialect: str
    path: str
    text: str
    names: tuple[str, ...]
    """``name version`` with ``>`` before what the project asks for, ``~`` before what is for development, in the order of the set."""
    edges: tuple[tuple[int, int], ...] = ()


def sample(dialect: str, path: str, text: str, names: str, edges: tuple[tuple[int, int], ...] = ()) -> Sample:
    return Sample(
        dialect, path, textwrap.dedent(text).lstrip("\n"), tuple(part.strip() for part in names.split(",") if part.strip()), edges
    )
