"""A CircleCI configuration as jobs and commands with steps, and the workflows that run them.

Orbs written into the file count as part of it. Every node belongs to exactly one job or command.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from assaymark.checks.infrastructure.pipelines.scripts import Script, script
from assaymark.checks.infrastructure.pipelines.walking import at, entries, merged, pairs, text_at
from assaymark.checks.infrastructure.pipelines.yaml_check import OtherFormat
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, Unreadable, documents, scalar_text
from assaymark.model.finding import Span

_KEYS: Final = ("jobs", "workflows", "commands", "orbs", "executors")
_SHELLS: Final = {"python", "node", "ruby", "perl"}
_INHERITED_AT_MOST = 200


class Step(Struct, frozen=True, eq=False):
    """One step: its name (``run``, ``checkout``, an orb's command) and what is given to it."""

    owner: str
    name: str
    given: Node | None
    span: Span


class Job(Struct, frozen=True, eq=False):
    """A job, or a command that jobs use."""

    name: str
    node: Keyed
    steps: tuple[Step, ...]


class Use(Struct, frozen=True, eq=False):
    """A job as a workflow runs it."""

    workflow: str
    job: str
    """The job's name in the file, or an orb's."""
    name: str
    span: Span
    node: Keyed | None
    guarded: bool
    """The workflow itself runs under a condition or on a schedule only."""

    @property
    def approval(self) -> bool:
        return text_at(self.node, "type") == "approval"

    @property
    def requires(self) -> tuple[str, ...]:
        names = [next((key.text for key, _ in pairs(each)), "") or scalar_text(each) for each in entries(at(self.node, "requires"))]
        return tuple(name for name in names if name)

    @property
    def filtered(self) -> bool:
        """Branches are named, or left to tags alone."""
        filters = merged(self.node, "filters") if self.node is not None else None
        return filters is not None


class Circle(Struct, frozen=True, eq=False):
    """The whole file."""

    root: Keyed
    orbs: tuple[tuple[str, Scalar], ...]
    jobs: tuple[Job, ...]
    executors: tuple[tuple[str, Keyed], ...]
    uses: tuple[Use, ...]
    scripts: tuple[Script, ...]
    lines: tuple[str, ...]

    @property
    def places(self) -> Iterator[tuple[str, Keyed]]:
        """Everything that says where steps run: executors and jobs."""
        yield from self.executors
        yield from ((job.name, job.node) for job in self.jobs)

    def guards(self, use: Use) -> bool:
        """True when a branch filter or a person stands before a job, or before one that it waits for."""
        by_name = {each.name: each for each in self.uses if each.workflow == use.workflow}
        waiting, asked = [use], set[str]()
        while waiting and len(asked) < _INHERITED_AT_MOST:
            current = waiting.pop()
            asked.add(current.name)
            if current.guarded or current.approval or current.filtered:
                return True
            waiting += [by_name[name] for name in current.requires if name in by_name and name not in asked]
        return False


def read_other(text: str) -> Circle | None:
    """As `read`, for a file whose name does not say that it is a configuration.

    Raises:
        OtherFormat: when it has none of a configuration's keys.
    """
    try:
        return read(text)
    except Unreadable as why:
        if why.reason_class == "schema":
            raise OtherFormat from why
        raise


def read(text: str) -> Circle | None:
    """The file, or None when it holds nothing.

    Raises:
        Unreadable: when it is no YAML, passes a limit, or has none of a configuration's keys.
    """
    roots = documents(text)
    if not roots:
        return None
    root = roots[0]
    if not isinstance(root, Keyed) or not any(root.get(key) is not None for key in _KEYS):
        line = root.span.start_line
        raise Unreadable("schema", f"line {line}: a CircleCI configuration has jobs, workflows, commands or orbs", line)
    walk = _Walk()
    uses = tuple(walk.uses(root))
    inline = [(f"{key.text}/", orb) for key, orb in pairs(root.get("orbs")) if isinstance(orb, Keyed)]
    parts: list[tuple[str, Keyed]] = [("", root), *inline]
    jobs = tuple(job for prefix, part in parts for job in walk.jobs(prefix, part))
    executors = tuple(
        (f"executor {prefix}{key.text}", node)
        for prefix, part in parts
        for key, node in pairs(part.get("executors"))
        if isinstance(node, Keyed) and walk.is_new(node)
    )
    orbs = tuple((key.text, orb) for _, part in parts for key, orb in pairs(part.get("orbs")) if isinstance(orb, Scalar))
    return Circle(root, orbs, jobs, executors, uses, tuple(walk.scripts), tuple(text.split("\n")))


class _Walk:
    """Goes through a file once; nothing is entered twice."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self._seen: set[int] = set()
        self._scalars: set[int] = set()

    def is_new(self, node: Node) -> bool:
        new = id(node) not in self._seen
        self._seen.add(id(node))
        return new

    def jobs(self, prefix: str, part: Keyed) -> Iterator[Job]:
        for kind in ("jobs", "commands"):
            for key, node in pairs(part.get(kind)):
                if isinstance(node, Keyed) and self.is_new(node):
                    name = prefix + key.text
                    yield Job(name, node, tuple(self._steps(name, merged(node, "steps"))))

    def uses(self, root: Keyed) -> Iterator[Use]:
        for key, workflow in pairs(root.get("workflows")):
            guarded = any(at(workflow, name) is not None for name in ("when", "unless", "triggers"))
            for each in entries(at(workflow, "jobs")):
                if isinstance(each, Scalar):
                    yield Use(key.text, each.text, each.text, each.span, None, guarded)
                for job, node in pairs(each) if self.is_new(each) else ():
                    name = text_at(node, "name") or job.text
                    yield Use(key.text, job.text, name, job.span, node if isinstance(node, Keyed) else None, guarded)
                    for part in ("pre-steps", "post-steps"):
                        for _ in self._steps(name, at(node, part)):
                            pass  # reading them collects their scripts

    def _steps(self, owner: str, node: Node | None) -> Iterator[Step]:
        waiting = list(reversed(entries(node)))
        while waiting:
            current = waiting.pop()
            if not self.is_new(current):
                continue
            if isinstance(current, Scalar):
                yield Step(owner, current.text, None, current.span)
            elif isinstance(current, Items):
                waiting.extend(reversed(current.entries))
            for key, given in pairs(current):
                yield Step(owner, key.text, given, key.span)
                self._collect(owner, key.text, given)
                waiting.extend(reversed(entries(at(given, "steps"))))

    def _collect(self, owner: str, name: str, given: Node | None) -> None:
        command = at(given, "command") if isinstance(given, Keyed) else given
        if name != "run" or not isinstance(command, Scalar):
            return
        shell = text_at(given, "shell").lower()
        language = "powershell" if "powershell" in shell or "pwsh" in shell else next((word for word in _SHELLS if word in shell), "sh")
        self.scripts += script(owner, "run", command, self._scalars, language)
