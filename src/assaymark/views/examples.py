"""Safe code beside that of the explanation pages: for each kind of settings file in which our checks meet a family.

One file per dialect in ``examples/``, a section per family with one block of code. A line ``# unsafe: …`` is what the line below it
replaces. The section ``*`` holds a place for a shell command (``{unsafe}``, ``{safe}``); with ``commands.toml`` it gives an example of
each family that is met in shell text, wherever that text stands. Read when first asked for; a pass explains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import msgspec
from msgspec import Struct

DIALECTS = (
    "azure", "bitbucket", "circleci", "compose", "dockerfile", "github", "gitlab", "jenkins", "kubernetes", "nginx", "python", "tekton",
    "terraform",
)  # fmt: skip
_SECTION = r"(?ms)^## (?P<family>\S+)\n+```(?P<language>\S+)(?: (?P<platform>\S+))?\n(?P<code>.*?)^```$"
PLATFORMS = {
    "azure-pipelines": "azure", "bitbucket-pipelines": "bitbucket", "circleci": "circleci", "compose": "compose", "gitlab-ci": "gitlab",
    "github-scripts": "github", "zizmor": "github", "kubernetes": "kubernetes", "tekton": "tekton", "nginx": "nginx", "apache": "apache",
}  # fmt: skip
"""Tool -> how examples name the platform whose files it reads."""


class Example(Struct, frozen=True):
    """One block."""

    family: str
    language: str
    platform: str
    code: str


class _Command(Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    unsafe: str
    safe: str
    not_in: tuple[str, ...] = ()
    """Platforms in which the family is not met."""


@cache
def examples(family: str) -> tuple[Example, ...]:
    """Those of a family, in the order of the dialects."""
    return tuple(each for each in _all() if each.family == family)


def _read(name: str) -> str:
    from importlib.resources import files  # noqa: PLC0415 - costs more than the rest, and a pass explains nothing

    return (files("assaymark.views") / "examples" / name).read_text("utf-8").replace("\r\n", "\n")


@cache
def _all() -> tuple[Example, ...]:
    import tomllib  # noqa: PLC0415 - the same

    commands = msgspec.convert(tomllib.loads(_read("commands.toml")), dict[str, _Command])
    return tuple(each for dialect in DIALECTS for each in _of(_read(f"{dialect}.md"), commands))


def _of(text: str, commands: dict[str, _Command]) -> Iterator[Example]:
    found = [Example(m["family"], m["language"], m["platform"] or "", m["code"].rstrip("\n")) for m in re.finditer(_SECTION, text)]
    own = {each.family for each in found}
    for each in found:
        if each.family != "*":
            yield each
            continue
        for family, command in commands.items():
            if family not in own and each.platform not in command.not_in:
                code = each.code.replace("{unsafe}", command.unsafe).replace("{safe}", command.safe)
                yield Example(family, each.language, each.platform, code)
