"""An operation of the API that a message, a page or a document names is one that there is."""

from __future__ import annotations

import re
from pathlib import Path

from assaymark.server.app import ROUTERS

ROOT = Path(__file__).resolve().parents[2]
_NAMED = re.compile(r"(?:(GET|POST|PUT|PATCH|DELETE) )?/api/v1(/(?:[A-Za-z0-9_{}$….:/-]|<\w+>)+)")
_FOREIGN = ("dependency_track", "dependency-track", "kubernetes/")
"""Places that speak of the interfaces of others, whose paths begin alike."""


def test_every_operation_that_is_named_is_there() -> None:
    offered = [(each.method, re.compile(re.sub(r"\{\w+\}", "[^/]+", each.path))) for router in ROUTERS for each in router.operations]
    places = [*ROOT.glob("src/**/*.py"), *ROOT.glob("src/**/*.html"), *ROOT.glob("docs/**/*.md"), ROOT / "README.md"]
    ours = [path for path in places if not any(word in path.as_posix() for word in _FOREIGN)]
    named = [(match[1], match[2], path) for path in ours for match in _NAMED.finditer(path.read_text("utf-8"))]
    assert len(named) > 120
    missing = {
        f"{method or ''} {name} in {path.relative_to(ROOT)}"
        for method, name, path in named
        if not any(method in {None, known} and form.fullmatch(name.rstrip(".:")) for known, form in offered)
    }
    assert missing == set()
