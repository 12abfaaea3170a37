"""A tolerant reader of POSIX shell text: commands with their words, pipes, substitutions and here-documents.

Guarantees: linear time, bounded nesting, no exception whatever the text. Good enough to ask «which command gets which words»;
it is no shell: functions, arithmetic and expansions are not evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field, structs

_DEEPEST = 30
_MOST_HEREDOCS = 20
_RUN = re.compile(r"[^\s'\"\\$`();&|<>#]+")
_SINGLE = re.compile(r"'[^']*+'")
_QUOTED_RUN = re.compile(r'[^"\\$`]+')
_HEREDOC = re.compile(r"<<-?[ \t]*(?P<quote>[\"'\\]?)(?P<word>[A-Za-z_][\w.-]*)[\"']?")
_COMMENT = re.compile(r"#[^\n]*")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_KEYWORDS = frozenset({"if", "then", "elif", "else", "do", "while", "until", "!", "{", "time", "fi", "done", "&"})
_WRAPPERS = frozenset(
    {"sudo", "exec", "command", "nohup", "env", "nice", "ionice", "retry", "builtin", "time", "timeout", "doas", "stdbuf"}
)


class Heredoc(Struct, frozen=True):
    """A text given to a command on its standard input."""

    text: str
    literal: bool
    """True when the delimiter is quoted: nothing in the text is expanded."""
    offset: int


class Command(Struct, frozen=True):
    """One simple command."""

    words: tuple[str, ...]
    """As written, quotes kept; a substitution is shown as ``$(…)``."""
    start: int
    end: int
    follow: str
    """What stands behind it: ``|``, ``||``, ``&&``, ``;``, ``&`` or nothing."""
    inner: tuple[Inner, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()

    name: str = ""
    arguments: tuple[str, ...] = ()

    def program(self) -> tuple[str, tuple[str, ...]]:
        """Name of the program without folder, and its arguments; assignments, keywords and wrappers such as sudo are passed over."""
        return self.name, self.arguments

    def assignments(self) -> Iterator[tuple[str, str]]:
        """``NAME=value`` before the program, and those that export and declare make."""
        name, arguments = self.program()
        leading = [word for word in self.words if _ASSIGNMENT.match(word)] if name in {"", "export", "declare"} else []
        if not leading:
            for word in self.words:
                if _ASSIGNMENT.match(word):
                    leading.append(word)
                elif word not in _KEYWORDS and word not in _WRAPPERS:
                    break
        for word in dict.fromkeys([*leading, *(arguments if name in {"export", "declare"} else ())]):
            left, equals, right = word.partition("=")
            if equals:
                yield left.rstrip("+"), unquoted(right)


class Inner(Struct, frozen=True):
    """Commands inside a command."""

    kind: str
    """``$(``, `````, ``<(``, ``>(`` or ``(``."""
    commands: tuple[Command, ...]


def _program(words: list[str]) -> tuple[str, tuple[str, ...]]:
    at = 0
    while at < len(words):
        word = unquoted(words[at])
        if word in _KEYWORDS or _ASSIGNMENT.match(word):
            at += 1
        elif word in _WRAPPERS:
            at += 1
            while at < len(words) and (words[at].startswith("-") or (word == "timeout" and words[at][:1].isdigit())):
                at += 1
        else:
            return word.rpartition("/")[2], tuple(words[at + 1 :])
    return "", ()


def unquoted(word: str) -> str:
    """The word without its outer quotes."""
    if len(word) >= 2 and word[0] == word[-1] and word[0] in "\"'":
        return word[1:-1]
    return word.replace('"', "").replace("'", "") if '"' in word or "'" in word else word


def sequences(commands: tuple[Command, ...]) -> Iterator[tuple[str, tuple[Command, ...]]]:
    """The sequence itself and every one inside it, each with the kind of bracket around it."""
    waiting = [("", commands)]
    while waiting:
        kind, current = waiting.pop()
        yield kind, current
        waiting.extend((inner.kind, inner.commands) for command in current for inner in command.inner)


_EXPANSION = re.compile(r"\\.|'[^']*'|\"|\$\{?(?P<name>[A-Za-z_]\w*)(?P<modifier>:?[+])?", re.DOTALL)
_IN_TEXT = re.compile(r"(?<!\\)\$\{?([A-Za-z_]\w*)")


def expansions(word: str) -> Iterator[tuple[str, bool]]:
    """Variables that the shell replaces in a word, each with whether it stands in double quotes."""
    quoted = False
    at = 0
    while found := _EXPANSION.search(word, at):
        at = found.end()
        piece = found.group()
        if piece == '"':
            quoted = not quoted
        elif piece[0] == "'" and quoted:
            at = found.start() + 1
        elif found["name"] and not found["modifier"]:
            yield found["name"], quoted


def names_in(text: str) -> Iterator[str]:
    """Variables that are replaced in the text of a here-document."""
    for found in _IN_TEXT.finditer(text):
        yield found[1]


class _Frame:
    """One level of nesting while reading."""

    __slots__ = ("commands", "heredocs", "inner", "kind", "opened", "quoted", "start", "word", "words")

    def __init__(self, kind: str, opened: int) -> None:
        self.kind = kind
        self.opened = opened
        self.quoted = False
        self.commands: list[Command] = []
        self.reset()

    def reset(self) -> None:
        self.words: list[str] = []
        self.word: list[str] = []
        self.start = -1
        self.inner: list[Inner] = []
        self.heredocs: list[Heredoc] = []

    def add(self, text: str, at: int) -> None:
        if self.start < 0:
            self.start = at
        self.word.append(text)

    def end_word(self) -> None:
        if self.word:
            self.words.append("".join(self.word))
            self.word = []

    def end_command(self, at: int, follow: str) -> None:
        self.end_word()
        if self.words or self.inner:
            start = self.start if self.start >= 0 else at
            name, arguments = _program(self.words)
            self.commands.append(Command(tuple(self.words), start, at, follow, tuple(self.inner), tuple(self.heredocs), name, arguments))
        self.reset()


class _Reader(Struct):
    text: str
    at: int = 0
    frames: list[_Frame] = field(default_factory=list)
    pending: list[tuple[_Frame, int, str, bool]] = field(default_factory=list)
    """Here-documents whose text has not begun: level, position of their command in it, delimiter, whether it is quoted."""

    def read(self) -> tuple[Command, ...]:
        self.frames = [_Frame("", 0)]
        while self.at < len(self.text):
            frame = self.frames[-1]
            if frame.quoted:
                self._inside_quotes(frame)
            else:
                self._outside_quotes(frame)
        while len(self.frames) > 1:
            self._close()
        self.frames[0].end_command(len(self.text), "")
        return tuple(self.frames[0].commands)

    def _inside_quotes(self, frame: _Frame) -> None:
        run = _QUOTED_RUN.match(self.text, self.at)
        if run:
            frame.add(run.group(), self.at)
            self.at = run.end()
            return
        char = self.text[self.at]
        if char == '"':
            frame.quoted = False
            self._keep(frame, char)
        elif char == "\\":
            self._keep(frame, self.text[self.at : self.at + 2])
        else:
            self._dollar_or_tick(frame, char)

    def _outside_quotes(self, frame: _Frame) -> None:
        run = _RUN.match(self.text, self.at)
        if run:
            frame.add(run.group(), self.at)
            self.at = run.end()
            return
        char = self.text[self.at]
        if char == "\n":
            self._newline(frame)
        elif char.isspace():
            frame.end_word()
            self.at += 1
        elif char in "\"'\\":
            self._quote(frame, char)
        elif char in "$`":
            self._dollar_or_tick(frame, char)
        elif char == "#":
            self._hash(frame)
        else:
            self._operator(frame, char)

    def _keep(self, frame: _Frame, text: str) -> None:
        frame.add(text, self.at)
        self.at += len(text)

    def _quote(self, frame: _Frame, char: str) -> None:
        if char == '"':
            frame.quoted = True
            self._keep(frame, char)
        elif char == "\\":
            piece = self.text[self.at : self.at + 2]
            if piece.endswith("\n") or piece == "\\\r":
                frame.end_word()
                self.at += 2 if piece.endswith("\n") else 3
            else:
                self._keep(frame, piece)
        else:
            single = _SINGLE.match(self.text, self.at)
            self._keep(frame, single.group() if single else self.text[self.at :])

    def _hash(self, frame: _Frame) -> None:
        if frame.word:
            self._keep(frame, "#")
            return
        comment = _COMMENT.match(self.text, self.at)
        self.at = comment.end() if comment else self.at + 1

    def _dollar_or_tick(self, frame: _Frame, char: str) -> None:
        if char == "`":
            if frame.kind == "`" and not frame.quoted:
                self.at += 1
                self._close()
                return
            self._open("`", 1)
        elif self.text.startswith("$((", self.at):
            self._keep(frame, "$((")
        elif self.text.startswith("$(", self.at):
            self._open("$(", 2)
        else:
            self._keep(frame, "$")

    def _operator(self, frame: _Frame, char: str) -> None:
        two = self.text[self.at : self.at + 2]
        if two in {"<(", ">("}:
            self._open(two, 2)
        elif two == "<<" and self.text[self.at + 2 : self.at + 3] != "<":
            self._heredoc(frame)
        elif char in "<>" or two in {"&>", ">&"}:
            self._redirection(frame)
        elif char == "(":
            self._open("(", 1)
        elif char == ")":
            self._parenthesis(frame)
        else:
            follow = two if two in {"&&", "||", ";;"} else char
            frame.end_command(self.at, "|" if two == "|&" else follow)
            self.at += 2 if two == "|&" else len(follow)

    def _redirection(self, frame: _Frame) -> None:
        """A redirection sign is a word of its own, so that ``>file`` and ``> file`` read alike; ``2>&1`` stays whole."""
        if frame.word and "".join(frame.word).isdecimal():
            pass
        else:
            frame.end_word()
        begin = self.at
        while self.at < len(self.text) and self.text[self.at] in "<>&|":
            self.at += 1
        sign = self.text[begin : self.at]
        frame.add(sign, begin)
        if not sign.endswith("&"):
            frame.end_word()

    def _parenthesis(self, frame: _Frame) -> None:
        if frame.kind in {"$(", "<(", ">(", "("}:
            self._close()
        else:
            frame.end_command(self.at, ";")
        self.at += 1

    def _heredoc(self, frame: _Frame) -> None:
        found = _HEREDOC.match(self.text, self.at)
        if found is None:
            self._keep(frame, "<<")
            return
        frame.end_word()
        if frame.start < 0:
            frame.start = self.at
        self.pending.append((frame, len(frame.commands), found["word"], bool(found["quote"])))
        self.at = found.end()

    def _newline(self, frame: _Frame) -> None:
        self.at += 1
        pending, self.pending = self.pending, []
        for owner, position, word, literal in pending:
            ending = re.compile(r"^[ \t]*" + re.escape(word) + r"[ \t\r]*$", re.MULTILINE).search(self.text, self.at)
            end = ending.start() if ending else len(self.text)
            body = Heredoc(self.text[self.at : end], literal, self.at)
            self.at = min(len(self.text), ending.end() + 1) if ending else end
            if position < len(owner.commands):
                owner.commands[position] = _with_heredoc(owner.commands[position], body)
            else:
                owner.heredocs.append(body)
        frame.end_command(self.at - 1 if not pending else self.at, ";")

    def _open(self, kind: str, length: int) -> None:
        if len(self.frames) >= _DEEPEST:
            self._keep(self.frames[-1], self.text[self.at : self.at + length])
            return
        frame = self.frames[-1]
        if kind == "(":
            frame.end_word()
            if frame.start < 0:
                frame.start = self.at
        else:
            frame.add(kind + ("…)" if kind != "`" else "…`"), self.at)
        self.at += length
        self.frames.append(_Frame(kind, self.at))

    def _close(self) -> None:
        frame = self.frames.pop()
        frame.end_command(self.at, "")
        self.frames[-1].inner.append(Inner(frame.kind, tuple(frame.commands)))


def _with_heredoc(command: Command, body: Heredoc) -> Command:
    if len(command.heredocs) >= _MOST_HEREDOCS:
        return command
    return structs.replace(command, heredocs=(*command.heredocs, body))


def read(text: str) -> tuple[Command, ...]:
    """The commands of a script."""
    return _Reader(text).read()
