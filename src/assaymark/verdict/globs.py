"""Path globs of the policy: ``*`` within a folder, ``**`` across folders, ``?`` one character. Pure, no backtracking surprises."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def _compiled(glob: str) -> re.Pattern[str]:
    out, i = "", 0
    while i < len(glob):
        if glob.startswith("**/", i):
            out, i = out + "(?:.*/)?", i + 3
        elif glob.startswith("**", i):
            out, i = out + ".*", i + 2
        elif glob[i] == "*":
            out, i = out + "[^/]*", i + 1
        elif glob[i] == "?":
            out, i = out + "[^/]", i + 1
        else:
            out, i = out + re.escape(glob[i]), i + 1
    return re.compile(out, re.DOTALL)


def matches(path: str, glob: str) -> bool:
    """True when the whole path matches; a glob that ends in ``/`` means everything below that folder."""
    return _compiled(glob + "**" if glob.endswith("/") else glob).fullmatch(path) is not None


def matches_any(path: str, globs: tuple[str, ...]) -> bool:
    return any(matches(path, glob) for glob in globs)
