"""Where an included path stands in the tree.

The files of a server lie in a repository below some folder; their includes speak of the machine (``/etc/nginx/conf.d/*.conf``).
Guarantees that an include is looked for, in this order: where the server itself would look when the main file's folder is the server's,
below the folder that stands for ``/``, and by the last two parts of the path if only one folder has them. Knows names only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from posixpath import dirname, normpath

_MAGIC = re.compile(r"[*?\[]")


class Layout:
    """The names of all members."""

    def __init__(self, members: Sequence[str], homes: Sequence[str]) -> None:
        self._members = sorted(members)
        self._homes = homes
        """Folders in which the server keeps its files on a machine, without the slash at the end."""
        self._found: dict[tuple[str, str], tuple[str, ...]] = {}

    def find(self, pattern: str, folder: str) -> tuple[str, ...]:
        """Members that an include means, in the order in which the server reads them; `folder` is the one of the main file."""
        key = pattern, folder
        if key not in self._found:
            self._found[key] = self._look(pattern, folder)
        return self._found[key]

    def is_set_aside(self, member: str) -> bool:
        """Whether a file lies in ``…-available`` while somebody has chosen others for ``…-enabled``: then it is not in effect."""
        found = re.match(r"(?P<stem>(?:.*/)?(?:sites|mods|conf|modules))-available/", member)
        return found is not None and any(each.startswith(f"{found['stem']}-enabled/") for each in self._members)

    def _look(self, pattern: str, folder: str) -> tuple[str, ...]:
        for candidate in self._candidates(pattern, folder):
            wanted = _as_regex(candidate)
            found = tuple(member for member in self._members if wanted.fullmatch(member))
            if found:
                return found
        return self._by_tail(pattern) if pattern.startswith("/") else ()

    def _candidates(self, pattern: str, folder: str) -> Iterator[str]:
        for written in (pattern, pattern.replace("sites-enabled/", "sites-available/")):
            if written.startswith("/"):
                for home in self._homes:
                    if written.startswith(home + "/"):
                        yield _joined(folder, written[len(home) + 1 :])
                    if folder == home[1:] or folder.endswith(home):
                        yield _joined(folder[: len(folder) - len(home) + (folder == home[1:])], written[1:])
            else:
                yield _joined(folder, written)
            if "sites-enabled/" not in written:
                break

    def _by_tail(self, pattern: str) -> tuple[str, ...]:
        tail = "/".join(pattern.split("/")[-2:])
        if tail.count("/") != 1 or tail.startswith(("/", "*")):
            return ()
        wanted = re.compile(r"(?:.*/)?" + _as_regex(tail).pattern, re.DOTALL)
        found = tuple(member for member in self._members if wanted.fullmatch(member))
        return found if len({dirname(member) for member in found}) == 1 else ()


def is_glob(pattern: str) -> bool:
    """Whether a pattern may match nothing without anybody minding."""
    return _MAGIC.search(pattern) is not None


def _joined(folder: str, path: str) -> str:
    return normpath(f"{folder}/{path}".lstrip("/"))


def _as_regex(pattern: str) -> re.Pattern[str]:
    """A glob as servers read it: no wildcard crosses a slash, and none means a leading dot."""
    made, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        end = pattern.find("]", at + 2) if char == "[" else -1
        if char == "*":
            made += r"(?:(?<![^/])(?!\.))?[^/]*" if at == 0 or pattern[at - 1] == "/" else "[^/]*"
            while pattern[at + 1 : at + 2] == "*":
                at += 1
        elif char == "?":
            made += "[^/]"
        elif end > 0:
            made += _class(pattern[at + 1 : end])
            at = end
        else:
            made += re.escape(char)
        at += 1
    try:
        return re.compile(made, re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))


def _class(inside: str) -> str:
    negated = inside[:1] in {"!", "^"}
    body = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside[1:] if negated else inside)
    return f"[{'^' if negated else ''}{body}]"
