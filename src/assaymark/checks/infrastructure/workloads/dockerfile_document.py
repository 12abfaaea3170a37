"""A Dockerfile as stages and instructions.

Guarantees: linear time; every instruction's text keeps the length of what was written (line ends, continuations and comments in between
become spaces), so a place in it is a place in the file.
Follows Docker's reference: parser directives, continuation lines, here-documents, ONBUILD, stages, ARG and ENV within a stage.
Does not know what the base image sets, nor the arguments of a build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.finding import Span

_NAMES = frozenset(
    {
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN"),
        *("SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    }
)
_DIRECTIVE = re.compile(r"#[ \t]*(?P<key>[A-Za-z][\w-]*)[ \t]*=[ \t]*(?P<value>.*?)[ \t\r]*\Z")
_WORD = re.compile(r"[ \t]*(?P<word>\S+)")
_HEREDOC = re.compile(r"(?<!<)<<(?P<dash>-?)(?P<quote>[\"']?)(?P<word>[A-Za-z_][\w.-]*)(?P=quote)")
_FLAG = re.compile(r"\s*--(?P<name>[a-z][\w-]*)(?:=(?P<value>(?:\"[^\"]*\"|'[^']*'|\S)*))?(?=\s|\Z)")
_VARIABLE = re.compile(r"\\\$|\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?::?(?P<sign>[-+])(?P<other>[^{}]*))?\})")
_TEMPLATE = re.compile(r"\{\{|\{%|<%|<#|@[A-Z_]+@|%%|^\s*(?:#?include|define)\b")
MOST_INSTRUCTIONS = 5_000
_LONGEST_VALUE = 2_000


class Instruction(Struct, frozen=True, eq=False):
    """One instruction."""

    name: str
    """In capitals."""
    flags: tuple[tuple[str, str], ...]
    text: str
    """What stands behind name and flags, here-documents included."""
    start: int
    """Where `text` begins in the file."""
    span: Span
    """Name to the last line."""
    script: bool = False
    """True when the text is a here-document that is run as it is."""
    onbuild: bool = False

    def flag(self, name: str) -> str | None:
        """A flag's value; empty for a flag without one."""
        return next((value for key, value in self.flags if key == name), None)

    @property
    def words(self) -> list[str]:
        """The words of the text; those of a JSON array without quotes."""
        plain = self.text.strip()
        if plain.startswith("["):
            inner = re.findall(r'"((?:[^"\\]|\\.)*)"', plain)
            if plain.endswith("]"):
                return [each.replace('\\"', '"').replace("\\\\", "\\") for each in inner]
        return [each.strip("\"'") or each for each in re.findall(r"\"[^\"]*\"|'[^']*'|\S+", plain.partition("\n")[0])]

    @property
    def exec_form(self) -> bool:
        return self.text.lstrip().startswith("[") and self.text.rstrip().endswith("]")


class Stage(Struct, frozen=True, eq=False):
    """What begins with FROM."""

    alias: str
    base: str
    """With the defaults of ARG filled in; what stays unknown keeps its dollar sign."""
    opening: Instruction | None
    """None for what stands before any FROM in a fragment."""
    instructions: tuple[Instruction, ...]
    environment: Mapping[str, str]
    """ARG and ENV at the end of the stage."""

    def expand(self, text: str) -> str:
        """The text with the variables that are known here."""
        return expand(text, self.environment)


class Dockerfile(Struct, frozen=True, eq=False):
    """The whole file."""

    stages: tuple[Stage, ...]
    directives: Mapping[str, str]
    starts: tuple[int, ...]
    """Where each line begins."""
    lines: tuple[str, ...]
    named: Mapping[str, Stage]
    """The stages by their names in small letters; of equal names the last."""

    def stage_named(self, name: str) -> Stage | None:
        """The last stage of this name."""
        return self.named.get(name.lower())

    def lineage(self, stage: Stage) -> Iterator[Stage]:
        """The stage and those of this file that it is built from, itself first."""
        seen: set[int] = set()
        current: Stage | None = stage
        while current is not None and id(current) not in seen:
            seen.add(id(current))
            yield current
            current = self.stage_named(current.base) if current.base else None


def expand(text: str, known: Mapping[str, str]) -> str:
    """The text with known variables filled in; unknown ones stay as they are written."""

    def fill(found: re.Match[str]) -> str:
        name = found["plain"] or found["name"]
        if name is None:
            return found.group()
        value = known.get(name)
        if found["sign"] == "+":
            return found["other"] if value else ""
        if found["sign"] == "-" and not value:
            return str(found["other"])
        return value if value is not None else found.group()

    return _VARIABLE.sub(fill, text)[:_LONGEST_VALUE] if "$" in text else text


def read(text: str) -> Dockerfile | None:
    """The file, or None when it holds nothing.

    Raises:
        Unreadable: when a line is no instruction, a here-document does not end, or there are too many instructions.
    """
    reader = _Reader(text)
    instructions = list(reader.instructions())
    if not instructions:
        return None
    stages = tuple(_stages(instructions))
    named = {stage.alias.lower(): stage for stage in stages if stage.alias}
    return Dockerfile(stages, reader.directives, tuple(reader.starts), tuple(reader.lines), named)


class _Reader(Struct):
    text: str
    lines: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    directives: dict[str, str] = field(default_factory=dict)
    at: int = 0
    """The next line."""
    escape: str = "\\"

    def __post_init__(self) -> None:
        self.lines = self.text.split("\n")
        start = 0
        for line in self.lines:
            self.starts.append(start)
            start += len(line) + 1
        self._directives()

    def _directives(self) -> None:
        while self.at < len(self.lines):
            found = _DIRECTIVE.match(self.lines[self.at])
            if found is None or found["key"].lower() not in {"syntax", "escape", "check"}:
                break
            self.directives.setdefault(found["key"].lower(), found["value"])
            self.at += 1
        self.escape = self.directives.get("escape", "\\")[:1] or "\\"

    def instructions(self) -> Iterator[Instruction]:
        """All of them, in order."""
        count = 0
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.strip() or line.lstrip().startswith("#"):
                self.at += 1
                continue
            made = self._instruction()
            if made is not None:
                count += 1
                if count > MOST_INSTRUCTIONS:
                    raise Unreadable("size", f"the file has more than {MOST_INSTRUCTIONS} instructions; split it", self.at)
                yield made

    def _instruction(self) -> Instruction | None:
        first = self.at
        whole = self._logical_line()
        opening = _WORD.match(whole)
        name = opening["word"].upper() if opening else ""
        if opening is None or name not in _NAMES:
            if _TEMPLATE.search(whole):
                return None
            word = name[:40]
            raise Unreadable("syntax", f"line {first + 1} begins with {word!r}, which is no instruction of a Dockerfile", first + 1)
        onbuild = False
        end = opening.end()
        if name == "ONBUILD":
            inner = _WORD.match(whole, end)
            name, end, onbuild = (inner["word"].upper(), inner.end(), True) if inner else (name, end, True)
        flags, end = _flags(whole, end)
        body, script = self._heredocs(name, whole, end, first)
        last = self.at - 1
        column = opening.start("word") + 1
        span = Span(first + 1, column, last + 1, len(self.lines[last].rstrip()) + 1)
        return Instruction(name, flags, body, self.starts[first] + end, span, script, onbuild)

    def _logical_line(self) -> str:
        """Lines that continue one another, as long as they are in the file."""
        pieces: list[str] = []
        ends = re.compile(re.escape(self.escape) + r"[ \t\r]*\Z")
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            if pieces and (line.lstrip().startswith("#") or not line.strip()):
                pieces.append(" " * len(line))
                continue
            found = ends.search(line)
            if found is None:
                pieces.append(line.replace("\r", " "))
                break
            pieces.append(line[: found.start()] + " " * (len(line) - found.start()))
        return " ".join(pieces)

    def _heredocs(self, name: str, whole: str, end: int, first: int) -> tuple[str, bool]:
        """The text behind the flags with its here-documents, and whether it is nothing but one that is run."""
        found = list(_HEREDOC.finditer(whole, end)) if name in {"RUN", "COPY", "ADD"} and "<<" in whole else []
        if not found:
            return whole[end:], False
        pieces = [whole[end:]]
        for each in found[:20]:
            pieces += self._heredoc(each, first)
        rest = (whole[end : found[0].start()] + whole[found[-1].end() :]).strip()
        if name == "RUN" and len(found) == 1 and not rest:
            return "\n".join([" " * len(pieces[0]), *pieces[1:-1], " " * len(pieces[-1])]), True
        return "\n".join(pieces), False

    def _heredoc(self, opening: re.Match[str], first: int) -> list[str]:
        pieces: list[str] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            pieces.append(line)
            plain = line.rstrip("\r")
            if (plain.lstrip("\t") if opening["dash"] else plain) == opening["word"]:
                return pieces
        raise Unreadable("syntax", f"the here-document {opening['word'][:40]} of line {first + 1} does not end", first + 1)


def _flags(whole: str, end: int) -> tuple[tuple[tuple[str, str], ...], int]:
    flags: list[tuple[str, str]] = []
    while found := _FLAG.match(whole, end):
        flags.append((found["name"], (found["value"] or "").strip("\"'")))
        end = found.end()
    return tuple(flags), end


def _stages(instructions: list[Instruction]) -> Iterator[Stage]:
    given: dict[str, str] = {}
    opening: Instruction | None = None
    inside: list[Instruction] = []
    for each in instructions:
        if each.name == "FROM":
            if opening is not None or any(i.name != "ARG" for i in inside):
                yield _stage(opening, inside, given)
            elif inside:
                given = _environment(inside, {})
            opening, inside = each, []
        else:
            inside.append(each)
    if opening is not None or inside:
        yield _stage(opening, inside, given)


def _stage(opening: Instruction | None, inside: list[Instruction], given: Mapping[str, str]) -> Stage:
    words = opening.words if opening else []
    base = expand(words[0], given) if words else ""
    alias = words[2] if len(words) > 2 and words[1].lower() == "as" else ""
    return Stage(alias, base, opening, tuple(inside), _environment(inside, given))


def _environment(inside: list[Instruction], given: Mapping[str, str]) -> dict[str, str]:
    known: dict[str, str] = {}
    for each in inside:
        if each.name == "ARG":
            for name, value in settings(each):
                default = given.get(name) if value is None else expand(value, known)
                if default is not None:
                    known.setdefault(name, default)
        elif each.name == "ENV":
            known.update((name, expand(value or "", known)) for name, value in settings(each))
    return known


_SETTING = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)(?:=(?P<value>(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|\\.|[^\s\"'\\])*))?", re.DOTALL)


def settings(instruction: Instruction) -> list[tuple[str, str | None]]:
    """Names and values of ARG, ENV and LABEL; None for an ARG without default."""
    text = instruction.text.strip()
    first = _SETTING.match(text)
    if first is None:
        return []
    if instruction.name == "ENV" and first["value"] is None:
        return [(first["name"], text[first.end() :].strip())]
    return [(found["name"], _unquoted(found["value"])) for found in _SETTING.finditer(text)][:500]


def _unquoted(value: str | None) -> str | None:
    if value is None:
        return None
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
