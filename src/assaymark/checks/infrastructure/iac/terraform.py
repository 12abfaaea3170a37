"""Terraform, judged by our own rules: a folder with the local modules that it calls.

Guarantees: exactly one outcome per input; time and memory are bounded whatever the text says; a flaw's address is the resource's, so blocks
can change their order, file and neighbours. A value that only a plan would give breaks no rule, and how many there were is counted.
Does not download modules or providers, and reads no state and no plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of, sha256
from assaymark.model.finding import CheckId, Layer

if TYPE_CHECKING:
    from assaymark.checks.infrastructure.iac.judging import Examine
    from assaymark.checks.policies.files import UserPolicy
    from assaymark.checks.rulebook import Rule

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
        from assaymark.checks.infrastructure.iac.tables import written  # noqa: PLC0415

        return digest_of([self.id, sha256(written())])

    def select(self, path: str) -> Dialect | None:
        """Terraform's and OpenTofu's files by name; copies that `init` made are left alone."""
        return Dialect("terraform") if _NAME.search(path) and not _GENERATED.search(path) else None

    def links(self, content: bytes) -> Iterable[str]:
        """Sources of local modules. Finds too many rather than too few: a folder that is not called costs time and changes nothing."""
        return (found.decode("utf-8", "replace") for found in _SOURCE.findall(content)) if b"module" in content else ()

    def preload(self) -> None:
        """Load parser, tables and rules."""
        self.judge((Part("main.tf", b'resource "x" "y" {}\n'),))

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        for each in inputs:
            yield each.digest, self.judge(each.parts)

    def judge(self, parts: Sequence[Part]) -> Outcome:
        """One unit by our own rules."""
        from assaymark.checks.infrastructure.iac.rules import book, native  # noqa: PLC0415  not needed to plan

        return _outcome(self.id, parts, native, book())


class TerraformPolicies(Terraform):
    """The user's policies over the same units: a check of its own, so that one that can't be evaluated is no gap in the other."""

    id = CheckId("terraform-policies")

    def __init__(self, policies: Sequence[UserPolicy], asked: str) -> None:
        self._policies = tuple(policies)
        self._asked = asked

    def knowledge(self) -> str:
        """What the policies say."""
        return digest_of([self.id, self._asked])

    def select(self, path: str) -> Dialect | None:
        """Nothing where there is no policy."""
        return super().select(path) if self._policies else None

    def preload(self) -> None:
        """Few have policies."""

    def judge(self, parts: Sequence[Part]) -> Outcome:
        """One unit by the user's policies."""
        from functools import partial  # noqa: PLC0415

        from assaymark.checks.infrastructure.iac.documents import broken  # noqa: PLC0415
        from assaymark.checks.rulebook import Rule  # noqa: PLC0415

        rules = {each.id: Rule(each.severity, each.confidence, each.fix, ()) for each in self._policies}
        return _outcome(self.id, parts, partial(broken, policies=self._policies), rules)


def make(settings: CheckSettings) -> Terraform:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return Terraform()


def make_policies(settings: CheckSettings) -> TerraformPolicies:
    """The check of the user's policies that are about Terraform.

    Raises:
        PolicyInvalid: when a file of policies is wrong.
    """
    if not settings.policies:
        return TerraformPolicies((), "")
    from assaymark.checks.policies.files import knowledge, read  # noqa: PLC0415  few have policies

    mine = [policy for policy in read(settings.policies) if any(target.startswith("terraform:") for target in policy.applies_to)]
    return TerraformPolicies(mine, knowledge(settings.policies))


def _outcome(check: CheckId, parts: Sequence[Part], examine: Examine, rules: Mapping[str, Rule]) -> Outcome:
    from assaymark.checks.infrastructure.iac.judging import judge, members  # noqa: PLC0415
    from assaymark.checks.reading.yaml_tree import Unreadable  # noqa: PLC0415
    from assaymark.checks.rulebook import in_order, sightings  # noqa: PLC0415

    try:
        told = judge(parts, examine)
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
    except RecursionError:
        return Unchecked("complexity", "values of the module refer to one another through too many steps; shorten the chain")
    found = [each for flaws, lines in members(told) for each in sightings(check, rules, flaws, lines)]
    return Checked(sightings=in_order(found), undecided=told.undecided)
