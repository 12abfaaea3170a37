"""What a line of a manifest says, and how it is written: see `subjects.manifest` for the members and what they guarantee.

Two entries have the same bytes when, and only when, they say the same; so most of a comparison is one of bytes.
"""

from __future__ import annotations

import base64
from enum import StrEnum

import msgspec
from msgspec import Struct

VERSION = 1
encode = msgspec.json.Encoder(order="sorted").encode


class Form(StrEnum):
    """How much of a tree counts."""

    OWNED = "owned"
    PORTABLE = "portable"


class Line(Struct, frozen=True, omit_defaults=True):
    """One entry; its members are those of the text."""

    t: str
    p: str = ""
    pb64: str = ""
    m: str = ""
    u: int | None = None
    g: int | None = None
    s: int | None = None
    h: str = ""
    l: str = ""  # noqa: E741 - the format's name
    lb64: str = ""
    r: str = ""
    x: dict[str, str] = {}
    n: str = ""
    nb64: str = ""

    @property
    def path(self) -> bytes:
        return base64.b64decode(self.pb64, validate=True) if self.pb64 else self.p.encode()

    @property
    def target(self) -> bytes:
        """Of a link."""
        return base64.b64decode(self.lb64, validate=True) if self.lb64 else self.l.encode()

    @property
    def first_name(self) -> bytes:
        """Of a file with several names in the tree."""
        return base64.b64decode(self.nb64, validate=True) if self.nb64 else self.n.encode()


class Head(Struct, frozen=True):
    form: Form
    manifest: int


def text_of(value: bytes) -> tuple[str, str]:
    """As text, or in base64 where it is none."""
    try:
        return value.decode("utf-8"), ""
    except UnicodeDecodeError:
        return "", base64.b64encode(value).decode("ascii")
