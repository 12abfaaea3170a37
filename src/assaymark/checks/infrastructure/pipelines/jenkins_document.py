"""A Jenkinsfile as the rules see it: steps with their stage, shell scripts, secrets in scope."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from assaymark.checks.infrastructure.pipelines.groovy import Block, Call, Kind, Script, Token, read
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.facts import Foreign
from assaymark.model.finding import Span
from assaymark.model.severity import Severity

_TEXT = (
    "CHANGE_TITLE CHANGE_AUTHOR_DISPLAY_NAME CHANGE_AUTHOR_EMAIL ghprbPullTitle "
    "ghprbPullLongDescription ghprbCommentBody ghprbPullDescription "
    "gitlabMergeRequestTitle gitlabMergeRequestDescription gitlabTriggerPhrase gitlabUserName GIT_AUTHOR_NAME GIT_COMMITTER_NAME"
)
_NAMES = "CHANGE_BRANCH BRANCH_NAME GIT_BRANCH GIT_LOCAL_BRANCH TAG_NAME ghprbSourceBranch gitlabSourceBranch gitlabBranch"
FOREIGN: Final[Foreign] = {**dict.fromkeys(_TEXT.split(), "text"), **dict.fromkeys(_NAMES.split(), "name")}
"""Variables that plugins fill from pull requests and branches; a branch name may hold ``$(…)`` but no space."""

SHELL_STEPS: Final = frozenset({"sh", "bat", "powershell", "pwsh"})
_SECRET_BINDINGS: Final = frozenset({"string", "usernamePassword", "usernameColonPassword", "sshUserPrivateKey", "conjurSecretCredential"})
_SECRET_ARGUMENTS: Final = frozenset({"variable", "passwordVariable", "passphraseVariable", "secretKeyVariable"})


class Jenkins(Struct, frozen=True, eq=False):
    """The whole file."""

    script: Script
    secrets: frozenset[str]
    """Variables that hold a secret's value somewhere in the file; names of users and paths of key files are left out."""
    foreign: Foreign
    starts: tuple[int, ...]
    """Offset of each line."""
    at: dict[int, Call]
    """Calls by the position of their name."""

    @property
    def calls(self) -> tuple[Call, ...]:
        return self.script.calls

    def named(self, *names: str) -> Iterator[Call]:
        """Calls of these steps."""
        return (call for call in self.script.calls if call.name in names)

    def span(self, start: int, end: int) -> Span:
        """A stretch of the file."""
        return Span(*self._position(start), *self._position(max(start, end)))

    def _position(self, offset: int) -> tuple[int, int]:
        line = bisect.bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def flaw(  # noqa: PLR0913  two of them are rare, and a struct for them would say less
        self, rule: str, call: Call, wrong: str, message: str, *, token: Token | None = None, severity: Severity | None = None
    ) -> Flaw:
        """A flaw of a step, or of one of its arguments."""
        where = token or self.script.tokens[call.at]
        return Flaw(rule, resource(call.path), wrong, message, self.span(where.start, where.end), severity)


def resource(path: tuple[Block, ...]) -> str:
    """Address of a place: the stages around it, otherwise the block of the pipeline it stands in."""
    stages = [f"stage[{block.label}]" for block in path if block.name == "stage" and block.label]
    if stages:
        return ".".join(stages)
    return next((block.name for block in path if block.name in {"pipeline", "node", "podTemplate"}), "file")


def inside(path: tuple[Block, ...], *names: str) -> bool:
    """True when one of these blocks is around."""
    return any(block.name in names for block in path)


def load(text: str) -> Jenkins | None:
    """The file, or None when it holds nothing.

    Raises:
        Unreadable: when a string, comment or bracket never ends, or nesting passes the limit.
    """
    script = read(text)
    if all(token.kind is Kind.NEWLINE for token in script.tokens):
        return None
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    return Jenkins(
        script,
        frozenset(_secrets(script)),
        {**FOREIGN, **dict.fromkeys(_webhook_variables(script), "text")},
        tuple(starts),
        {call.at: call for call in script.calls},
    )


def _secrets(script: Script) -> Iterator[str]:
    for call in script.calls:
        if call.name in _SECRET_BINDINGS:
            yield from (token.text for name, token in script.arguments(call) if name in _SECRET_ARGUMENTS and token.kind is Kind.TEXT)
        elif call.target == "credentials" and call.at >= 2 and script.tokens[call.at - 1].text == "=" and inside(call.path, "environment"):
            name = script.tokens[call.at - 2].text
            yield from (name, f"{name}_PSW")


def _webhook_variables(script: Script) -> Iterator[str]:
    """Variables that a generic webhook fills with parts of the request."""
    if "GenericTrigger" not in script.text:
        return
    for at, token in enumerate(script.tokens[:-2]):
        if token.text == "key" and script.tokens[at + 1].text == ":" and script.tokens[at + 2].kind is Kind.TEXT:
            yield script.tokens[at + 2].text


def shell_text(token: Token) -> str:
    """A string as the shell gets it, same length: what Groovy fills in and what it leaves to the shell are told apart."""
    if _quote(token) != '"':
        return token.text
    text = token.text.replace("\\$", "\x01$")
    for place in token.places:
        at = place.start - token.inner
        text = text[:at] + "\x02" + text[at + 1 :] if len(token.places) < 200 else text
    return text


def _quote(token: Token) -> str:
    width = token.inner - token.start
    return '"' if token.places or (width in {1, 3} and "\\$" in token.text) else ""
