"""From a unit's files to sightings.

A unit is a folder with the folders that it calls. What is wrong in the folder itself is told. What is wrong in a called module is told by
that module's own unit, as far as it is wrong whoever calls it; here only what the call's own arguments make wrong is told, at the call.
So one defect is one finding, however many callers a module has.

Files of variables that Terraform reads by itself count always; each other one (``prod.tfvars``) is tried on top of these, and what only it
makes wrong says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import UNSET, Struct

from assaymark.checks.infrastructure.iac.folders import Declared, declared, grouped
from assaymark.checks.infrastructure.iac.hcl import File
from assaymark.checks.infrastructure.iac.modules import Budget, Given, Known, Module, Scope
from assaymark.checks.infrastructure.iac.policies_of_access import document_of
from assaymark.checks.infrastructure.iac.table import table
from assaymark.checks.infrastructure.iac.values import Unknown
from assaymark.checks.infrastructure.iac.world import Hit, Tree, World
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.checks.rulebook import Flaw
from assaymark.model.check import Part
from assaymark.model.finding import RuleId
from assaymark.model.rules import catalogue

Examine = Callable[[World], Iterator[Hit | None]]
"""What is wrong in one module instance; None for each time that this depends on a value that is not known."""
MOST_FLAWS = 20_000
"""Of one module; a file of a pipeline has fewer, but some modules hold hundreds of resources."""
_LONGEST_SAID = 60
MOST_WORLDS = 6
"""Files of variables that are tried one by one."""


class Told(Struct):
    """What one unit has to say."""

    flaws: dict[str, list[Flaw]]
    """By file of the unit's own folder."""
    files: dict[str, File]
    undecided: int
    """How often a value that a rule asks for was not known."""


class _Run:
    """One unit."""

    def __init__(self, parts: Sequence[Part], examine: Examine) -> None:
        self._examine = examine
        folders = grouped(parts)
        self.folders: dict[str, Declared] = {name: declared(name, files) for name, files in folders.items()}
        own = self.folders[""]
        if own.problem is not None:
            raise own.problem
        self.own = own
        self.undecided = 0
        self._alone: dict[str, set[tuple[str, str, str]]] = {}

    def module(self, folder: str, given: Given | None = None) -> Module:
        root = Module(self.folders, folder, Budget(), given=given)
        root.documents = document_of
        return root

    # --- hits --------------------------------------------------------------------------------------------------------

    def hits(self, root: Module) -> Iterator[tuple[str, Hit]]:
        """(name of the call, or empty; hit) of everything in a tree that is told by this unit."""
        tree = Tree(root)
        for hit in self._in(World(root, tree)):
            yield "", hit
        for name in sorted(root.declared.modules):
            children = root.called(name)
            prefix = f"{root.prefix}module.{name}."
            found = [hit for module in tree.modules if module.prefix.startswith(prefix) for hit in self._in(World(module, tree))]
            known = self._known_alone(children[0].folder) if found else set()
            for hit in found:
                address, *rest = hit.key
                if (address.removeprefix(prefix), *rest) not in known:
                    yield name, hit

    def _known_alone(self, folder: str) -> set[tuple[str, str, str]]:
        """What is wrong in a folder whoever calls it; its own unit tells that."""
        if folder not in self._alone:
            tree = Tree(self.module(folder))
            counted, self.undecided = self.undecided, 0
            self._alone[folder] = {hit.key for module in tree.modules for hit in self._in(World(module, tree))}
            self.undecided = counted
        return self._alone[folder]

    def _in(self, world: World) -> Iterator[Hit]:
        seen: set[tuple[object, ...]] = set()
        for hit in self._examine(world):
            if hit is None:
                self.undecided += 1
                continue
            # Instances of one block are wrong at one place.
            place = (*hit.key, id(hit.place.attribute or hit.place.view.block), hit.detail)
            if place not in seen:
                seen.add(place)
                yield hit

    # --- worlds ------------------------------------------------------------------------------------------------------

    def worlds(self) -> Iterator[tuple[str, Module]]:
        """(file of variables, root) for what Terraform reads by itself, and for each further file."""
        automatic = {attribute.name: attribute for _, attributes, auto in self.own.settings if auto for attribute in attributes}
        yield "", self._with(automatic)
        for name, attributes, auto in [each for each in self.own.settings if not each[2]][:MOST_WORLDS]:
            if not auto:
                yield name, self._with(automatic | {attribute.name: attribute for attribute in attributes})

    def _with(self, attributes: Mapping[str, object]) -> Module:
        def value(name: str) -> Known:
            return root.traced(lambda: attributes[name].expression(Scope(root)))  # type: ignore[attr-defined]

        root = self.module("", {name: (lambda name=name: value(name)) for name in attributes})  # type: ignore[misc]
        return root


def judge(parts: Sequence[Part], examine: Examine) -> Told:
    """Everything that is wrong in a unit.

    Raises:
        Unreadable: when the unit's own folder can't be read, or takes too much.
    """
    run = _Run(parts, examine)
    told = Told({}, {}, 0)
    seen: set[tuple[object, ...]] = set()
    count = 0
    for variables, root in run.worlds():
        for call, hit in run.hits(root):
            flaw, file = _flaw(root, call, hit, variables)
            key = (flaw.rule, flaw.resource, flaw.attribute, flaw.span, flaw.member)
            if key in seen:
                continue
            seen.add(key)
            count += 1
            if count > MOST_FLAWS:
                raise Unreadable("complexity", f"the module has more than {MOST_FLAWS} flaws; the rest was not looked for")
            told.files[file.name] = file
            told.flaws.setdefault(file.name, []).append(flaw)
        if not variables:
            told.undecided = run.undecided
    return told


def _flaw(root: Module, call: str, hit: Hit, variables: str) -> tuple[Flaw, File]:
    notes: tuple[tuple[str, str], ...] = (("with variables of", variables),) if variables else ()
    place = hit.place
    message = f"{hit.resource.address}: {hit.message or _lowered(catalogue().describe(RuleId(f'terraform/{hit.rule}')).title) + _said(hit)}"
    if call:
        block = root.declared.modules[call]
        inside = f"{place.view.file.name}:{place.span.start_line}"
        notes = (*notes, ("inside of the module", inside))
        flaw = Flaw(
            hit.rule, hit.resource.address, hit.attribute, message, block.head, block=block.span, member=block.file.name, notes=notes
        )
        return flaw, block.file
    row = table().get(hit.rule)
    replacement = row.fix if row is not None and row.fix and place.attribute is not None and not place.is_missing else None
    file = place.view.file
    flaw = Flaw(
        rule=hit.rule,
        resource=hit.resource.address,
        attribute=hit.attribute,
        message=message,
        span=place.span,
        block=hit.resource.view.block.span,
        member=file.name,
        replacement=replacement if place.holder is None else None,
        notes=notes,
    )
    return flaw, file


def _lowered(title: str) -> str:
    """A title within a sentence; an abbreviation stays one."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _said(hit: Hit) -> str:
    if hit.detail:
        return f" ({hit.detail})"
    value = hit.place.value
    if hit.place.is_missing:
        return f" (`{hit.attribute}` is not set)"
    if type(value) is bool or type(value) is int:
        return f" (`{hit.attribute}` is {str(value).lower()})"
    row = table().get(hit.rule)
    # Where something must not be there at all, what is there may be a secret.
    if type(value) is str and row is not None and row.expect.present is UNSET and len(value) < _LONGEST_SAID:
        return f' (`{hit.attribute}` is "{value}")'
    return "" if isinstance(value, Unknown) else f" (`{hit.attribute}`)"


def members(told: Told) -> Iterable[tuple[list[Flaw], Sequence[str]]]:
    """Flaws with the lines of their file, by name."""
    for name in sorted(told.flaws):
        yield told.flaws[name], told.files[name].lines
