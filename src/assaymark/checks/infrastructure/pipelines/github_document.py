"""A GitHub workflow or composite action as jobs with steps. Read as far as it goes: what GitHub's schema asks for is not asked for here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.infrastructure.pipelines.scripts import Script, script
from assaymark.checks.infrastructure.pipelines.walking import at, entries, pairs, text_at
from assaymark.checks.infrastructure.pipelines.yaml_check import OtherFormat
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, documents, scalar_text, scalars_below

_WINDOWS = re.compile(r"windows", re.IGNORECASE)


class Step(Struct, frozen=True, eq=False):
    """One step."""

    owner: str
    node: Keyed
    scripts: tuple[Script, ...]

    @property
    def uses(self) -> Scalar | None:
        node = self.node.get("uses")
        return node if isinstance(node, Scalar) else None

    def given(self, name: str) -> str:
        """An input of the action that is used."""
        return text_at(self.node, "with", name)


class Job(Struct, frozen=True, eq=False):
    """A job, or the steps of an action."""

    name: str
    node: Keyed
    steps: tuple[Step, ...]


class Github(Struct, frozen=True, eq=False):
    """The whole file."""

    root: Keyed
    events: frozenset[str]
    jobs: tuple[Job, ...]
    lines: tuple[str, ...]

    @property
    def scripts(self) -> Iterator[Script]:
        return (each for job in self.jobs for step in job.steps for each in step.scripts)

    @property
    def environments(self) -> Iterator[tuple[str, Keyed]]:
        """Every ``env`` that is written down, once, with its owner."""
        seen: set[int] = set()
        places: list[tuple[str, Node]] = [("workflow", self.root)]
        for job in self.jobs:
            places.append((job.name, job.node))
            places += [(step.owner, step.node) for step in job.steps]
        for owner, place in places:
            node = at(place, "env")
            if isinstance(node, Keyed) and id(node) not in seen:
                seen.add(id(node))
                yield owner, node


def read(text: str) -> Github | None:
    """The file, or None when it holds nothing.

    Raises:
        Unreadable: when it is no YAML or passes a limit.
        OtherFormat: when it has neither jobs nor runs.
    """
    roots = documents(text)
    if not roots:
        return None
    root = roots[0]
    if not isinstance(root, Keyed) or (root.get("jobs") is None and root.get("runs") is None):
        raise OtherFormat
    seen: set[int] = set()
    scalars: set[int] = set()
    jobs = [
        Job(key.text, job, tuple(_steps(key.text, job, root, (seen, scalars))))
        for key, job in pairs(root.get("jobs"))
        if isinstance(job, Keyed) and _new(job, seen)
    ]
    runs = root.get("runs")
    if isinstance(runs, Keyed):
        jobs.append(Job("action", runs, tuple(_steps("action", runs, root, (seen, scalars)))))
    return Github(root, _events(root.get("on")), tuple(jobs), tuple(text.split("\n")))


def _new(node: Keyed, seen: set[int]) -> bool:
    new = id(node) not in seen
    seen.add(id(node))
    return new


def _events(node: Node | None) -> frozenset[str]:
    if isinstance(node, Keyed):
        return frozenset(key.text for key, _ in node.named())
    return frozenset(scalar_text(each) for each in entries(node))


def _steps(owner: str, job: Keyed, root: Keyed, seen: tuple[set[int], set[int]]) -> Iterator[Step]:
    steps = job.get("steps")
    for node in steps.entries if isinstance(steps, Items) else ():
        if isinstance(node, Keyed) and _new(node, seen[0]):
            made = script(owner, "run", node.get("run"), seen[1], _language(node, job, root)) if isinstance(node.get("run"), Scalar) else ()
            yield Step(owner, node, tuple(made))


def _language(step: Keyed, job: Keyed, root: Keyed) -> str:
    """By the step's shell, that of its job or of the file; machines with Windows have PowerShell without being asked."""
    shell = text_at(step, "shell") or text_at(job, "defaults", "run", "shell") or text_at(root, "defaults", "run", "shell")
    if not shell:
        windows = any(_WINDOWS.search(label.text) for label in scalars_below(job.get("runs-on"), set()))
        return "powershell" if windows else "sh"
    word = shell.split()[0].rpartition("/")[2]
    if word in {"pwsh", "powershell"}:
        return "powershell"
    return "sh" if word in {"bash", "sh", "zsh", "dash"} or ("{0}" not in shell and word not in {"python", "cmd"}) else word
