"""Which members of a tree are nginx's, and their directives.

Any file of a tree may be included, so any ``.conf`` is given, also those of other programs. Guarantees that a file is left out only when
nothing in it reads as nginx's, and that one which can't be read is a `Gap` when its name says nginx, or when a file of nginx includes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assaymark.checks.platform.webserver.directives import Directive, Files, Gap, text_of
from assaymark.checks.platform.webserver.nginx_reader import read
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.check import Part

_SURE_NAME = re.compile(r"(?:^|/)[^/]*nginx[^/]*\.conf(?:\.template)?\Z|\.nginx\Z", re.IGNORECASE)
_OURS = re.compile(
    r"(?m)^[ \t]*(?:(?:http|events|server|stream|upstream|types|location\s[^{}\n]*|map\s[^{}\n]*|geo\s[^{}\n]*|if\s*\([^{}\n]*)\s*\{"
    r"|(?:[a-z][a-z0-9_]*)\s+[^;{}\n]*;\s*(?:#.*)?$)"
)
_THEIRS = re.compile(r"(?m)^[ \t]*<(?:VirtualHost|Directory|IfModule|Location|Files)\b|\A#!|^[ \t]*\[[\w. -]+\][ \t]*$", re.IGNORECASE)


def read_all(parts: Sequence[Part]) -> Files:
    """Directives and texts by member, and what could not be read."""
    files: dict[str, tuple[Directive, ...]] = {}
    texts: dict[str, str] = {}
    gaps: dict[str, Gap] = {}
    for part in parts:
        try:
            text = texts[part.name] = text_of(part.content, part.name)
            if _is_ours(text, part.name):
                files[part.name] = read(text, part.name)
        except Unreadable as why:
            gaps[part.name] = Gap(part.name, why.reason_class, why.reason, why.line)
    return Files(files, texts, gaps, frozenset(name for name in (*files, *gaps) if says_nginx(name)))


def says_nginx(path: str) -> bool:
    """Whether a path says that the file is nginx's."""
    folded = path.casefold()
    return "nginx" in folded or "openresty" in folded or folded.endswith(".vhost")


def _is_ours(text: str, name: str) -> bool:
    if _THEIRS.search(text):
        return False
    return bool(_SURE_NAME.search(name) and text.strip()) or _OURS.search(text) is not None
