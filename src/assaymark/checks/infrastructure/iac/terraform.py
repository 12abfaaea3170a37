"""Terraform, judged by our own rules: a folder with the local modules that it calls.

Guarantees: exactly one outcome per input; time and memory are bounded whatever the text says; a flaw's address is the resource's, so blocks
can change their order, file and neighbours. A value that only a plan would give breaks no rule, and how many there were is counted.
Does not download modules or providers, and reads no state and no plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of, sha256
from assaymark.model.finding import CheckId, Layer

_ID = CheckId("terraform")
_NAME = re.compile(r"(?:\.tf|\.tofu|\.tf\.json|\.tfvars|\.tfvars\.json)\Z")
_GENERATED = re.compile(r"(?:^|/)\.terraform/")
_SOURCE = re.compile(rb"\bsource\"?\s*[=:]\s*\"(\.{1,2}(?:/[^\"\n\\$]{0,300})?)\"")


class Terraform:
    """See the module."""

    id = _ID
    layer = Layer.INFRASTRUCTURE
    unit = UnitKind.DIRECTORY
    version = "1"

    def knowledge(self) -> str:
        """The tables; rules in Python belong to `version`."""
        from assaymark.checks.infrastructure.iac.table import written  # noqa: PLC0415

        return digest_of([_ID, sha256(written())])

    def select(self, path: str) -> Dialect | None:
        """Terraform's and OpenTofu's files by name; copies that `init` made are left alone."""
        return Dialect("terraform") if _NAME.search(path) and not _GENERATED.search(path) else None

    def links(self, content: bytes) -> Iterable[str]:
        """Sources of local modules. Finds too many rather than too few: a folder that is not called costs time and changes nothing."""
        return (found.decode("utf-8", "replace") for found in _SOURCE.findall(content)) if b"module" in content else ()

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        for each in inputs:
            yield each.digest, _judge(each.parts)


def make(settings: CheckSettings) -> Terraform:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return Terraform()


def _judge(parts: Sequence[Part]) -> Outcome:
    from assaymark.checks.infrastructure.iac.judging import judge, members  # noqa: PLC0415  not needed to plan
    from assaymark.checks.infrastructure.iac.rules import book  # noqa: PLC0415
    from assaymark.checks.reading.yaml_tree import Unreadable  # noqa: PLC0415
    from assaymark.checks.rulebook import in_order, sightings  # noqa: PLC0415

    try:
        told = judge(parts)
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
    except RecursionError:
        return Unchecked("complexity", "values of the module refer to one another through too many steps; shorten the chain")
    found = [each for flaws, lines in members(told) for each in sightings(_ID, book(), flaws, lines)]
    return Checked(sightings=in_order(found), undecided=told.undecided)
