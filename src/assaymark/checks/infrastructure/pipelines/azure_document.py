"""An Azure pipeline or template as jobs with steps.

Entries behind a template expression (``${{ if … }}:``, ``${{ each … }}:``) are read as if they stood there. Every node belongs to exactly
one job, so an anchor that many jobs use is judged once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from assaymark.checks.infrastructure.pipelines.scripts import Script, script
from assaymark.checks.infrastructure.pipelines.walking import at, entries, pairs, text_at
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, Unreadable, documents, scalar_text
from assaymark.model.finding import Span

_KINDS: Final = (
    "script",
    "bash",
    "pwsh",
    "powershell",
    "task",
    "checkout",
    "template",
    "publish",
    "download",
    "downloadBuild",
    "getPackage",
)
_ROOT_KEYS: Final = frozenset({"trigger", "pr", "pool", "schedules", "resources", "name", "extends"})
_PHASES: Final = ("preDeploy", "deploy", "routeTraffic", "postRouteTraffic", "on")
_LANGUAGES: Final = {"script": "sh", "bash": "sh", "pwsh": "powershell", "powershell": "powershell"}
_TASKS: Final = {
    "bash": "sh",
    "cmdline": "sh",
    "ssh": "sh",
    "powershell": "powershell",
    "azurepowershell": "powershell",
    "pythonscript": "python",
}
_INLINE: Final = frozenset({"script", "inlinescript", "inline"})


class Step(Struct, frozen=True, eq=False):
    """One step."""

    owner: str
    kind: str
    """Its leading key: ``script``, ``task``, ``checkout`` …"""
    node: Keyed
    scripts: tuple[Script, ...]

    @property
    def what(self) -> str:
        """What stands behind the leading key."""
        return text_at(self.node, self.kind)

    @property
    def task(self) -> str:
        """A task's name without version, lower case; empty for other steps."""
        return self.what.partition("@")[0].lower() if self.kind == "task" else ""

    def given(self, name: str) -> Node | None:
        """An input of a task; their names ignore case."""
        wanted = name.lower()
        return next((value for key, value in pairs(at(self.node, "inputs")) if key.text.lower() == wanted), None)


class Job(Struct, frozen=True, eq=False):
    """One job, or the file itself when its steps need none."""

    name: str
    node: Keyed
    steps: tuple[Step, ...]


class Azure(Struct, frozen=True, eq=False):
    """The whole file."""

    root: Keyed
    stages: tuple[tuple[str, Keyed], ...]
    jobs: tuple[Job, ...]
    lines: tuple[str, ...]

    @property
    def is_root(self) -> bool:
        """A pipeline of its own; templates lack its keys."""
        return any(key.text in _ROOT_KEYS for key, _ in self.root.named())

    @property
    def steps(self) -> Iterator[Step]:
        return (step for job in self.jobs for step in job.steps)

    @property
    def scripts(self) -> Iterator[Script]:
        return (each for step in self.steps for each in step.scripts)

    @property
    def places(self) -> Iterator[tuple[str, Keyed]]:
        """Everything that may have variables, a pool or a container: the file, its stages, its jobs."""
        yield "pipeline", self.root
        yield from self.stages
        yield from ((job.name, job.node) for job in self.jobs if job.node is not self.root)

    @property
    def pull_requests(self) -> str:
        """``none``, ``written`` or ``default``: whether a pull request starts the pipeline."""
        node = self.root.get("pr")
        if scalar_text(node).lower() == "none" or not self.is_root:
            return "none"
        return "default" if node is None else "written"


def read(text: str) -> Azure | None:
    """The file, or None when it holds nothing.

    Raises:
        Unreadable: when it is no YAML, passes a limit, or is no mapping.
    """
    roots = documents(text)
    if not roots:
        return None
    root = roots[0]
    if not isinstance(root, Keyed):
        line = root.span.start_line
        raise Unreadable("schema", f"line {line}: an Azure pipeline is a mapping", line)
    walk = _Walk()
    stages = [(text_at(stage, "stage") or text_at(stage, "template") or "stage", stage) for stage in walk.under(root.get("stages"))]
    jobs = list(walk.jobs("pipeline", root))
    for name, stage in stages:
        jobs += walk.jobs(name, stage)
    return Azure(root, tuple(stages), tuple(jobs), tuple(text.split("\n")))


def unfolded(node: Node | None, seen: set[int]) -> Iterator[Node]:
    """Entries of a sequence, with those behind template expressions in their place; a node that was seen is left out."""
    waiting = list(reversed(entries(node)))
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        guarded = [value for key, value in pairs(current) if key.text.startswith("${{")]
        if guarded and isinstance(current, Keyed) and len(guarded) == len(current.entries):
            waiting.extend(each for value in reversed(guarded) for each in reversed(entries(value)))
        elif isinstance(current, Items):
            waiting.extend(reversed(current.entries))
        else:
            yield current


def conditional(node: Node | None) -> Iterator[tuple[Scalar, Node]]:
    """Entries of a mapping, with those behind template expressions."""
    waiting, seen = [node], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        for key, value in pairs(current):
            if key.text.startswith("${{"):
                waiting.append(value)
            else:
                yield key, value


class _Walk:
    """Goes through a file once; nothing is entered twice."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._scalars: set[int] = set()

    def under(self, node: Node | None) -> Iterator[Keyed]:
        return (each for each in unfolded(node, self._seen) if isinstance(each, Keyed))

    def jobs(self, owner: str, node: Keyed) -> Iterator[Job]:
        """Jobs below a file or stage, and the one that its own steps are."""
        if node.get("steps") is not None:
            yield Job(owner, node, tuple(self._steps(owner, node.get("steps"))))
        for job in self.under(node.get("jobs")):
            kind = next((kind for kind in ("job", "deployment", "template") if job.get(kind) is not None), "job")
            name = text_at(job, kind) or owner
            steps = list(self._steps(name, job.get("steps")))
            for strategy in (at(job, "strategy", kind) for kind in ("runOnce", "rolling", "canary")):
                steps += self._phases(name, strategy)
            steps += self._steps(name, at(job, "parameters", "steps"))
            yield Job(name, job, tuple(steps))

    def _phases(self, owner: str, strategy: Node | None) -> Iterator[Step]:
        for phase in _PHASES:
            node = at(strategy, phase)
            yield from self._steps(owner, at(node, "steps"))
            for outcome in ("success", "failure") if phase == "on" else ():
                yield from self._steps(owner, at(node, outcome, "steps"))

    def _steps(self, owner: str, node: Node | None) -> Iterator[Step]:
        for step in self.under(node):
            kind = next((key.text for key, _ in step.named() if key.text in _KINDS), "")
            if kind:
                yield Step(owner, kind, step, tuple(self._scripts(owner, kind, step)))

    def _scripts(self, owner: str, kind: str, step: Keyed) -> Iterator[Script]:
        if kind in _LANGUAGES:
            yield from script(owner, kind, step.get(kind), self._scalars, _LANGUAGES[kind])
        if kind != "task":
            return
        task = text_at(step, "task").partition("@")[0]
        language = _TASKS.get(task.lower(), "")
        if task.lower() == "azurecli":
            language = "sh" if text_at(step, "inputs", "scriptType").lower() in {"", "bash"} else "powershell"
        for key, value in conditional(at(step, "inputs")) if language else ():
            if key.text.lower() in _INLINE:
                yield from script(owner, task, value, self._scalars, language)


def written_variables(file: Azure) -> Iterator[tuple[str, Scalar, Scalar]]:
    """Every variable that is written down, in either form: owner, name, value."""
    seen: set[int] = set()
    for owner, node in file.places:
        variables = node.get("variables")
        if isinstance(variables, Keyed):
            yield from ((owner, key, value) for key, value in conditional(variables) if isinstance(value, Scalar))
        for each in unfolded(variables, seen) if isinstance(variables, Items) else ():
            name, value = at(each, "name"), at(each, "value")
            if isinstance(name, Scalar) and isinstance(value, Scalar):
                yield owner, name, value


def span_of(node: Keyed, name: str) -> Span:
    """Where a key stands."""
    return next((key.span for key, _ in conditional(node) if key.text == name), node.span)
