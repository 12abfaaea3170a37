"""A module as Terraform would see it: inputs, locals, resources with their instances, and the local modules that it calls.

Guarantees: evaluation is lazy, bounded in steps (`Budget`) and ends whatever the text says (circles are unknown); addresses hold no index
(``module.net.aws_subnet.public``), so ``count`` and keys may change. What a value was made of is kept beside it (`Known.refs`), since many
rules ask which resource another one means.
Does not know providers: an attribute that is not written is missing, whatever its default would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from posixpath import normpath

from msgspec import Struct

from assaymark.checks.infrastructure.iac.evaluating import Expression, Step
from assaymark.checks.infrastructure.iac.folders import Declared
from assaymark.checks.infrastructure.iac.hcl import Attribute, Block
from assaymark.checks.infrastructure.iac.values import UNKNOWN, Unknown, Value
from assaymark.checks.reading.yaml_tree import Unreadable

MOST_STEPS = 400_000
MOST_INSTANCES = 16
"""Of one resource or call: whatever is wrong with the first is wrong with the rest."""
DEEPEST_CALLS = 12
_STEPS_OF_A_MODULE = 100
"""What an instance of a module counts at least: calls within calls multiply."""
_NO_ARGUMENTS = frozenset({"source", "version", "count", "for_each", "providers", "depends_on"})


class Budget:
    """What the evaluation of one unit may cost, and which resources the current value was made of."""

    def __init__(self) -> None:
        self.left = MOST_STEPS
        self.refs: set[str] = set()

    def tick(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise Unreadable("complexity", f"evaluating the module takes more than {MOST_STEPS} steps; simplify its expressions")


class Known(Struct, frozen=True):
    """A value and the addresses that it was made of."""

    value: Value
    refs: frozenset[str] = frozenset()


NOTHING = Known(UNKNOWN)
Given = Mapping[str, Callable[[], Known]]


class Module:
    """One instance of a folder: the root, or what a call makes of it."""

    def __init__(
        self, folders: Mapping[str, Declared], folder: str, budget: Budget, *, prefix: str = "", given: Given | None = None
    ) -> None:
        budget.tick(_STEPS_OF_A_MODULE)
        self.declared = folders[folder]
        self.prefix = prefix
        self.budget = budget
        self._folders = folders
        self._folder = folder
        self._given = given if given is not None else {}
        self._memory: dict[tuple[str, str], Known] = {}
        self._children: dict[str, Sequence[Module]] = {}
        self.documents: Callable[[Module, str], Value] | None = None

    # --- names -------------------------------------------------------------------------------------------------------

    def remembered(self, kind: str, name: str, make: Callable[[], Known]) -> Value:
        """The value of a name, made once; a circle is unknown."""
        key = (kind, name)
        known = self._memory.get(key)
        if known is None:
            self._memory[key] = NOTHING
            known = self._memory[key] = make()
        self.budget.refs |= known.refs
        return known.value

    def traced(self, make: Callable[[], Value]) -> Known:
        """A value with what it was made of."""
        outer, self.budget.refs = self.budget.refs, set()
        try:
            return Known(make(), frozenset(self.budget.refs))
        finally:
            self.budget.refs = outer

    def variable(self, name: str) -> Value:
        return self.remembered("var", name, lambda: self._variable(name))

    def _variable(self, name: str) -> Known:
        if name in self._given:
            return self._given[name]()
        block = self.declared.variables.get(name)
        default = block.body.attributes.get("default") if block else None
        return self.traced(lambda: default.expression(Scope(self))) if default else NOTHING

    def local(self, name: str) -> Value:
        attribute = self.declared.locals.get(name)
        if attribute is None:
            return UNKNOWN
        return self.remembered("local", name, lambda: self.traced(lambda: attribute.expression(Scope(self))))

    def output(self, name: str) -> Value:
        attribute = self.declared.outputs.get(name)
        if attribute is None:
            return UNKNOWN
        return self.remembered("output", name, lambda: self.traced(lambda: attribute.expression(Scope(self))))

    # --- calls -------------------------------------------------------------------------------------------------------

    def called(self, name: str) -> Sequence[Module]:
        """What a call makes of a folder of this unit, once per instance; nothing for modules from elsewhere, unread folders and circles."""
        if name not in self._children:
            self._children[name] = ()
            self._children[name] = tuple(self._called(name))
        return self._children[name]

    def _called(self, name: str) -> Iterator[Module]:
        block = self.declared.modules.get(name)
        source = block.body.attributes.get("source") if block else None
        if block is None or source is None or self.prefix.count("module.") >= DEEPEST_CALLS:
            return
        place = source.expression(Scope(self))
        folder = self._target(place) if isinstance(place, str) else None
        if folder is None:
            return
        for scope in instances(self, block):
            child = Module(self._folders, folder, self.budget, prefix=f"{self.prefix}module.{name}.", given=_given(block, scope))
            child.documents = self.documents
            yield child

    def _target(self, source: str) -> str | None:
        if not source.startswith(("./", "../")) and source not in {".", ".."}:
            return None
        folder = normpath(f"{self._folder}/{source}") if self._folder else normpath(source)
        folder = "" if folder == "." else folder
        known = self._folders.get(folder)
        return folder if known is not None and known.problem is None else None

    def children(self) -> Iterator[tuple[str, Module]]:
        """The local modules that are called and exist."""
        for name in sorted(self.declared.modules):
            for child in self.called(name):
                yield name, child

    @property
    def folder(self) -> str:
        return self._folder


def _given(block: Block, scope: Scope) -> Given:
    """The arguments of a call."""

    def value(attribute: Attribute) -> Known:
        return scope.module.traced(lambda: attribute.expression(scope))

    return {name: partial(value, attribute) for name, attribute in block.body.attributes.items() if name not in _NO_ARGUMENTS}


class Scope:
    """Where an expression stands: a module, and the names that loops and instances bring along."""

    __slots__ = ("_names", "module")

    def __init__(self, module: Module, names: dict[str, Value] | None = None) -> None:
        self.module = module
        self._names = names or {}

    def tick(self) -> None:
        self.module.budget.tick()

    def with_names(self, names: dict[str, Value]) -> Scope:
        return Scope(self.module, {**self._names, **names})

    def look_up(self, root: str, steps: Sequence[Step]) -> tuple[Value, int]:  # noqa: PLR0911 - one return per kind of name
        """See `expressions.Scope`."""
        if root in self._names:
            return self._names[root], 0
        first = steps[0] if steps and isinstance(steps[0], str) else None
        if first is None or root in {"each", "count", "self", "path", "terraform"}:
            return UNKNOWN, len(steps)
        if root == "var":
            return self.module.variable(first), 1
        if root == "local":
            return self.module.local(first), 1
        if root == "module":
            return self._of_module(first, steps)
        mode = "data" if root == "data" else "resource"
        names = [each for each in steps if isinstance(each, str)]
        if mode == "data":
            return (self._of_resource("data", first, names[1:]), len(steps)) if len(names) > 1 else (UNKNOWN, len(steps))
        return self._of_resource("resource", root, names), len(steps)

    def _of_module(self, name: str, steps: Sequence[Step]) -> tuple[Value, int]:
        at = next((n for n, each in enumerate(steps) if n > 0 and isinstance(each, str)), None)
        if at is None:
            return UNKNOWN, len(steps)
        # Which instance is meant is not looked at: what all of them say is known, the rest is not.
        values = [child.output(str(steps[at])) for child in self.module.called(name)]
        if not values or any(type(value) is not type(values[0]) or value != values[0] for value in values[1:]):
            return UNKNOWN, len(steps)
        return values[0], at + 1

    def _of_resource(self, mode: str, kind: str, names: Sequence[str]) -> Value:
        """A resource's attribute: what is written there if that is plain, otherwise unknown; and the address is noted."""
        module = self.module
        name, *path = names
        blocks = module.declared.resources.get((mode, kind, name))
        if not blocks:
            return UNKNOWN
        address = address_of(module, mode, kind, name)
        module.budget.refs.add(address)
        if mode == "data" and module.documents is not None and path == ["json"]:
            return module.remembered(
                "json", address, lambda: module.traced(lambda: module.documents(module, name) if module.documents else UNKNOWN)
            )
        attribute = blocks[0].body.attributes.get(path[0]) if len(path) == 1 and len(blocks) == 1 else None
        if attribute is None or {"count", "for_each"} & blocks[0].body.attributes.keys():
            return UNKNOWN
        written = module.remembered("attribute", f"{address}.{path[0]}", lambda: module.traced(lambda: attribute.expression(Scope(module))))
        return written if type(written) in (str, int, float, bool) else UNKNOWN


def address_of(module: Module, mode: str, kind: str, name: str) -> str:
    """Where a resource is in the whole configuration; without index and key."""
    return f"{module.prefix}{'data.' if mode == 'data' else ''}{kind}.{name}"


def instances(module: Module, block: Block) -> Iterator[Scope]:
    """A scope per instance of a resource or call; none when it is switched off, one where the number is not known."""
    attributes = block.body.attributes
    plain = Scope(module)
    if "count" in attributes:
        number = _value(attributes["count"], plain)
        if type(number) is not int:
            yield plain
            return
        for index in range(min(number, MOST_INSTANCES)):
            yield Scope(module, {"count": {"index": index}})
    elif "for_each" in attributes:
        over = _value(attributes["for_each"], plain)
        if type(over) is dict:
            pairs = list(over.items())
        elif type(over) is list and not any(type(item) is Unknown for item in over):
            pairs = [(item, item) for item in over]
        else:
            yield plain
            return
        for key, value in pairs[:MOST_INSTANCES]:
            yield Scope(module, {"each": {"key": key, "value": value}})
    else:
        yield plain


def _value(attribute: Attribute, scope: Scope) -> Value:
    expression: Expression = attribute.expression
    return expression(scope)
