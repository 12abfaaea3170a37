"""``go.mod``: the modules that a build selects, after ``replace``.

Since Go 1.17 the file names every module of the build. ``go.sum`` is not read: it also lists versions that were looked at and not taken.
A ``toolchain`` line gives the standard library, because its advisories are about Go's version; a ``go`` line alone is a lower bound only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering, one_line
from assaymark.checks.application.dependencies.readers.texts import text_of
from assaymark.checks.reading.yaml_tree import Unreadable

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|[^\s"`()]+|[()]')
_VERSION = re.compile(r"v\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]*)?\Z")
_GO = re.compile(r"(?P<major>\d+)\.(?P<minor>\d+)")
_DIRECTIVES = frozenset({"module", "go", "toolchain", "godebug", "require", "replace", "exclude", "retract", "tool", "ignore"})
_NAMES_ALL = (1, 17)


class _Line(Struct):
    number: int
    directive: str
    tokens: list[str]
    comment: str


class _Wanted(Struct):
    line: int
    path: str
    version: str
    indirect: bool


def read_go_mod(content: bytes) -> PackageSet:
    """The modules of the file.

    Raises:
        Unreadable: when it is no go.mod.
    """
    gathering = Gathering(knows_direct=True)
    wanted: list[_Wanted] = []
    replaced: dict[tuple[str, str], list[str]] = {}
    go = _Line(0, "go", [], "")
    for line in _lines(text_of(content)):
        match line.directive, line.tokens:
            case "require", [path, version, *_]:
                wanted.append(_Wanted(line.number, path, version, "indirect" in line.comment.split(";")[0].split()))
            case "require", _:
                raise Unreadable("syntax", f"line {line.number}: require names a module and a version", line.number)
            case "replace", tokens:
                _replace(replaced, tokens, line.number)
            case "toolchain", [name, *_] if name.startswith("go"):
                gathering.add(Package("stdlib", name[2:].partition("-")[0], Ecosystem.GO, line.number, direct=True))
            case "go", [_, *_]:
                go = line
    for each in wanted:
        _add(gathering, each, replaced)
    found = _GO.match(go.tokens[0]) if go.tokens else None
    if wanted and (found is None or (int(found["major"]), int(found["minor"])) < _NAMES_ALL):
        gathering.problem(
            go.number,
            "a go.mod of Go 1.16 or older does not name the modules that others bring; run `go mod tidy -go=1.17` or newer",
        )
    return gathering.finished()


def _add(gathering: Gathering, wanted: _Wanted, replaced: dict[tuple[str, str], list[str]]) -> None:
    target = replaced.get((wanted.path, wanted.version)) or replaced.get((wanted.path, "")) or [wanted.path, wanted.version]
    if len(target) == 1:
        return  # a folder of the project: its own code, and its own go.mod
    path, version = target
    if not _VERSION.match(version):
        gathering.problem(wanted.line, f"{one_line(path)} names no exact version; run `go mod tidy`")
        return
    gathering.add(Package(path, version, Ecosystem.GO, wanted.line, direct=not wanted.indirect, source=Source.REGISTRY))


def _replace(replaced: dict[tuple[str, str], list[str]], tokens: list[str], number: int) -> None:
    arrow = tokens.index("=>") if "=>" in tokens else -1
    old, new = tokens[:arrow], tokens[arrow + 1 :]
    if arrow < 1 or len(old) > 2 or not 1 <= len(new) <= 2:
        raise Unreadable("syntax", f"line {number}: replace has the form `old [version] => new [version]`", number)
    if len(new) == 1 and not new[0].startswith((".", "/")):
        raise Unreadable("syntax", f"line {number}: replace by a module names its version", number)
    replaced[old[0], old[1] if len(old) == 2 else ""] = new


def _lines(text: str) -> Iterator[_Line]:
    """Every line with its directive; those of a block have the block's."""
    block = ""
    for number, raw in enumerate(text.split("\n"), 1):
        code, _, comment = raw.partition("//") if '"' not in raw and "`" not in raw else _split_quoted(raw)
        tokens = [_unquoted(token) for token in _TOKEN.findall(code)]
        if not tokens:
            continue
        if block:
            if tokens == [")"]:
                block = ""
            else:
                yield _Line(number, block, tokens, comment)
        elif tokens[0] not in _DIRECTIVES:
            raise Unreadable("syntax", f"line {number}: {one_line(tokens[0])} is no directive of go.mod", number)
        elif tokens[1:2] == ["("]:
            block = tokens[0] if tokens[2:] != [")"] else ""
        else:
            yield _Line(number, tokens[0], tokens[1:], comment)
    if block:
        raise Unreadable("syntax", f"the block of {block} does not end")


def _split_quoted(raw: str) -> tuple[str, str, str]:
    """Code and comment of a line with quoted words, in which ``//`` is no comment."""
    at = 0
    while at < len(raw):
        if raw.startswith("//", at):
            return raw[:at], "//", raw[at + 2 :]
        found = _TOKEN.match(raw, at)
        at = found.end() if found and found.group()[0] in '"`' else at + 1
    return raw, "", ""


def _unquoted(token: str) -> str:
    return token[1:-1] if len(token) > 1 and token[0] in '"`' and token[-1] == token[0] else token
