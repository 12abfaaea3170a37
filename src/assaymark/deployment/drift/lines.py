"""How two lines of manifests differ, in words: one difference for each thing that differs.

A mode that gives more than it takes, a capability and another owner of what may run weigh most, wherever the file lies.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from assaymark.deployment.drift.drifted import Weight
from assaymark.deployment.drift.spelling import spelled
from assaymark.deployment.drift.stance import Found
from assaymark.subjects.manifest_lines import Line

_SPECIAL = 0o6000
_OTHERS_WRITE = 0o0002
_TYPES = {"f": "file", "d": "folder", "l": "link", "c": "character device", "b": "block device", "p": "fifo", "s": "socket"}
NOTHING = "nothing"


def compared(path: bytes, expected: Line | None, observed: Line | None) -> Iterator[Found]:
    """Each difference; nothing when there is none."""
    what = spelled(path)
    if expected is None and observed is None:
        return
    if expected is None and observed is not None:
        yield Found(what, "added", NOTHING, described(observed), Weight.CRITICAL if _powerful(observed) else None)
    elif observed is None and expected is not None:
        yield Found(what, "removed", described(expected), NOTHING)
    elif expected is not None and observed is not None:
        yield from _both(what, expected, observed)


def _both(what: str, expected: Line, observed: Line) -> Iterator[Found]:
    if expected.t != observed.t:
        yield Found(what, "type", described(expected), described(observed), Weight.CRITICAL if _powerful(observed) else None)
        return
    if expected.m != observed.m:
        yield Found(what, "mode", expected.m, observed.m, _of_mode(expected, observed))
    if (expected.u, expected.g) != (observed.u, observed.g):
        yield Found(what, "owner", f"{expected.u}:{expected.g}", f"{observed.u}:{observed.g}")
    if (expected.s, expected.h) != (observed.s, observed.h):
        yield Found(what, "content", _content(expected), _content(observed), Weight.CRITICAL if _runs(expected) else None)
    if (expected.l, expected.lb64) != (observed.l, observed.lb64):
        yield Found(what, "link", spelled(expected.target), spelled(observed.target))
    if expected.r != observed.r:
        yield Found(what, "device", expected.r, observed.r)
    for name in sorted(expected.x.keys() | observed.x.keys()):
        if expected.x.get(name) != observed.x.get(name):
            kind = "capability" if name == "security.capability" else "attribute"
            yield Found(what, kind, f"{name} {_value(expected, name)}", f"{name} {_value(observed, name)}")
    if (expected.n, expected.nb64) != (observed.n, observed.nb64):
        yield Found(what, "hard-link", _names(expected), _names(observed))


def described(line: Line) -> str:
    """What it is, short."""
    parts = [_TYPES.get(line.t, "something unknown")]
    if line.t == "l":
        parts.append(f"to {spelled(line.target)}")
    if line.m:
        parts.append(line.m)
    if line.u is not None:
        parts.append(f"of {line.u}:{line.g}")
    if line.h:
        parts.append(_content(line))
    if line.r:
        parts.append(line.r)
    parts += [f"with {name}" for name in sorted(line.x)]
    if line.n or line.nb64:
        parts.append(_names(line))
    return " ".join(parts)


def _content(line: Line) -> str:
    return f"sha256:{line.h} ({line.s} bytes)"


def _names(line: Line) -> str:
    return f"another name of {spelled(line.first_name)}" if line.n or line.nb64 else "one name"


def _value(line: Line, name: str) -> str:
    return base64.b64decode(line.x[name]).hex() if name in line.x else NOTHING


def _mode(line: Line) -> int:
    return int(line.m, 8) if line.m.isdecimal() else 0


def _runs(line: Line) -> bool:
    return line.t == "f" and (line.m == "x" or bool(_mode(line) & 0o111))


def _powerful(line: Line) -> bool:
    return line.t in {"c", "b"} or bool(line.x) or (line.t == "f" and bool(_mode(line) & _SPECIAL))


def _of_mode(expected: Line, observed: Line) -> Weight | None:
    more = _mode(observed) & ~_mode(expected)
    return Weight.CRITICAL if more & (_SPECIAL | _OTHERS_WRITE) else None
