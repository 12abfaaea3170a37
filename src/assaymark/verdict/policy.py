"""The policy file `assay.toml`: typed, checked, and ordered from weaker to stricter. Pure.

A policy is a point of a lattice: `weaknesses(base, head)` says in which settings head is weaker, and `strictest(base, head)` is what a
change is judged by unless the weakening itself is let through. So a change can't first loosen the policy and then profit from it.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from assaymark.errors import PolicyInvalid
from assaymark.model.finding import CheckId
from assaymark.model.severity import Confidence, Severity

POLICY_FILE = "assay.toml"
_MOST_BYTES = 1 << 20


class Level(StrEnum):
    """Risk appetite, from wide to narrow. What each means is `APPETITE`."""

    PROTOTYPE = "prototype"
    INTERNAL = "internal"
    PRODUCTION = "production"
    REGULATED = "regulated"


class InlineWaivers(StrEnum):
    """What other tools' inline comments (``# nosec`` and the like) may do; they are counted in every case."""

    HONOUR = "honour"
    RATCHET = "ratchet"
    """Those of the base are honoured, further ones stop the change."""
    IGNORE = "ignore"


class Unproven(StrEnum):
    """What a verdict is worth when something that changed could not be checked."""

    WARN = "warn"
    STOP = "stop"


class Gate(Struct, frozen=True):
    """What stops the line; later values of every scale are stricter."""

    fail_on: Severity
    """Findings at or above it stop; ``critical`` is the mildest gate, ``info`` the strictest."""
    min_confidence: Confidence
    """Findings below it are shown and do not stop."""
    unproven: Unproven
    inline_waivers: InlineWaivers
    max_waiver_days: int
    approver_required: bool
    """A waiver or exception needs an approver who is not its owner."""


APPETITE: dict[Level, Gate] = {
    Level.PROTOTYPE: Gate(Severity.CRITICAL, Confidence.HIGH, Unproven.WARN, InlineWaivers.HONOUR, 365, approver_required=False),
    Level.INTERNAL: Gate(Severity.HIGH, Confidence.MEDIUM, Unproven.WARN, InlineWaivers.HONOUR, 365, approver_required=False),
    Level.PRODUCTION: Gate(Severity.MEDIUM, Confidence.MEDIUM, Unproven.STOP, InlineWaivers.RATCHET, 180, approver_required=False),
    Level.REGULATED: Gate(Severity.LOW, Confidence.LOW, Unproven.STOP, InlineWaivers.IGNORE, 90, approver_required=True),
}


class GateSettings(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Table ``[policy]``: the level, and single settings that differ from it."""

    level: Level = Level.PRODUCTION
    fail_on: Severity | UnsetType = UNSET
    min_confidence: Confidence | UnsetType = UNSET
    unproven: Unproven | UnsetType = UNSET
    inline_waivers: InlineWaivers | UnsetType = UNSET
    max_waiver_days: int | UnsetType = UNSET
    approver_required: bool | UnsetType = UNSET


class CheckTable(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Table ``[checks]``."""

    disable: tuple[CheckId, ...] = ()
    enable: tuple[CheckId, ...] = ()
    """Optional checks, which need what has to be installed first."""
    disable_rules: tuple[str, ...] = ()
    """Rule ids or rule classes whose findings are left out everywhere."""
    exclude: tuple[str, ...] = ()
    """Path globs that no check reads; ``**`` crosses folders."""
    manifests: tuple[str, ...] = ()
    """Manifests of external tools, paths in the repository."""
    secret_rules: tuple[str, ...] = ()
    """Rule files in gitleaks or betterleaks form, paths in the repository."""
    vex: tuple[str, ...] = ()
    """OpenVEX documents, paths in the repository; each statement is judged like a waiver (`verdict.vex`)."""
    policies: tuple[str, ...] = ()
    """Files of policies in CEL, paths in the repository."""


class Limits(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Table ``[limits]``; what exceeds them is unchecked, never passed."""

    file_mib: int = 8
    seconds: int = 600


class Waiver(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Table ``[[waiver]]``: a risk that somebody accepts, for a reason, until a day."""

    reason: str
    owner: str
    until: dt.date
    """Last day on which it holds."""
    finding: str = ""
    """Fingerprint or at least 12 hex digits of it."""
    rule: str = ""
    """Rule id or rule class, for waivers that are not about one finding."""
    path: str = ""
    """Path glob."""
    count: int = 1
    """With `finding`: how many equal occurrences it covers, so that a copy is not covered by accident."""
    approver: str = ""
    rotated: bool = False
    """For a secret that was removed: somebody made it worthless. Closes the finding."""


class RecordedException(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Table ``[[exception]]``: a weakening that somebody decided for."""

    weakens: str
    """What it lets through, as the verdict names it, e.g. ``policy.fail_on`` or ``checks.disable:ruff``."""
    reason: str
    owner: str
    until: dt.date
    approver: str = ""


class Policy(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole file."""

    policy: GateSettings = GateSettings()
    checks: CheckTable = CheckTable()
    limits: Limits = Limits()
    waiver: tuple[Waiver, ...] = ()
    exception: tuple[RecordedException, ...] = ()

    @property
    def gate(self) -> Gate:
        """The level's gate with the single settings laid over it."""
        own = {f: v for f in self.policy.__struct_fields__ if f != "level" and (v := getattr(self.policy, f)) is not UNSET}
        return msgspec.structs.replace(APPETITE[self.policy.level], **own)


def parse_policy(data: bytes, name: str = POLICY_FILE) -> Policy:
    """Read a policy file.

    Raises:
        PolicyInvalid: with the line or the setting that is wrong and what it may be.
    """
    if len(data) > _MOST_BYTES:
        raise PolicyInvalid(f"{name} has {len(data)} bytes", why="a policy larger than 1 MiB is not read", advice="split it by repository")
    import tomllib  # noqa: PLC0415 - a hook in a repository without a policy does without

    try:
        tree: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
        policy = msgspec.convert(tree, Policy)
    except UnicodeDecodeError as error:
        raise PolicyInvalid(f"{name} is not UTF-8", why=str(error), advice="save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise PolicyInvalid(
            f"{name} is not TOML", why=str(error), advice="correct the line; `assay init --print` shows a valid file"
        ) from error
    except msgspec.ValidationError as error:
        raise PolicyInvalid(
            f"{name} has a setting that is not understood", why=str(error), advice="see docs/reference/policy.md"
        ) from error
    except RecursionError as error:
        raise PolicyInvalid(f"{name} is nested too deeply", advice="write it as `assay init --print` shows") from error
    _check_rows(policy, name)
    return policy


def _check_rows(policy: Policy, name: str) -> None:
    for number, waiver in enumerate(policy.waiver, 1):
        what = f"{name}: waiver {number}"
        if not (waiver.reason.strip() and waiver.owner.strip()):
            raise PolicyInvalid(f"{what} has no reason or no owner", advice="say why and who answers for it")
        if not (waiver.finding or waiver.rule or waiver.path):
            raise PolicyInvalid(f"{what} names neither finding, rule nor path", advice="a waiver for everything is not possible")
        if waiver.finding and len(waiver.finding.rpartition(":")[2]) < 12:
            raise PolicyInvalid(f"{what}: finding {waiver.finding!r} is too short", advice="give at least 12 hex digits")
        if waiver.count < 1:
            raise PolicyInvalid(f"{what}: count is {waiver.count}", advice="count is at least 1")
    for number, row in enumerate(policy.exception, 1):
        if not (row.reason.strip() and row.owner.strip() and row.weakens.strip()):
            raise PolicyInvalid(f"{name}: exception {number} has no reason, owner or weakens", advice="say what, why and who")
    if policy.policy.max_waiver_days is not UNSET and policy.policy.max_waiver_days < 1:
        raise PolicyInvalid(f"{name}: max_waiver_days is {policy.policy.max_waiver_days}", advice="it is at least 1")
    if policy.limits.file_mib < 1 or policy.limits.seconds < 1:
        raise PolicyInvalid(f"{name}: a limit is below 1", advice="limits are whole numbers from 1 up")


class Weakening(Struct, frozen=True, order=True):
    """One setting in which head is weaker than base."""

    name: str
    """Stable; `[[exception]] weakens` names it."""
    text: str


def _scales(gate: Gate) -> dict[str, tuple[int, str]]:
    """Every setting on a scale where more is stricter."""
    return {
        "fail_on": (-gate.fail_on.rank, gate.fail_on),
        "min_confidence": (-gate.min_confidence.rank, gate.min_confidence),
        "unproven": (list(Unproven).index(gate.unproven), gate.unproven),
        "inline_waivers": (list(InlineWaivers).index(gate.inline_waivers), gate.inline_waivers),
        "max_waiver_days": (-gate.max_waiver_days, str(gate.max_waiver_days)),
        "approver_required": (int(gate.approver_required), str(gate.approver_required).lower()),
    }


def weaknesses(base: Policy, head: Policy) -> tuple[Weakening, ...]:
    """Where head asks for less than base; empty when head is at least as strict in everything.

    A wider limit is no weakening (more is checked); a narrower one shows up as unchecked inputs, which the verdict judges itself.
    """
    found: list[Weakening] = []
    old, new = _scales(base.gate), _scales(head.gate)
    for name, (rank, text) in new.items():
        if rank < old[name][0]:
            found.append(Weakening(f"policy.{name}", f"{name} went from {old[name][1]} to {text}"))
    for field, words in (
        ("disable", "check {} was switched off"),
        ("disable_rules", "rule {} was switched off"),
        ("exclude", "{} is no longer read"),
    ):
        more = set(getattr(head.checks, field)) - set(getattr(base.checks, field))
        found += [Weakening(f"checks.{field}:{item}", words.format(item)) for item in more]
    for field in ("manifests", "secret_rules", "policies", "enable"):
        less = set(getattr(base.checks, field)) - set(getattr(head.checks, field))
        found += [Weakening(f"checks.{field}:{item}", f"{item} is no longer used") for item in less]
    return tuple(sorted(found))


def strictest(base: Policy, head: Policy, allowed: frozenset[str] = frozenset()) -> Policy:
    """The policy to judge by: per setting the stricter of both, but head's own where a weakening of that name is allowed.

    Waivers and exceptions are head's: they are judged on their own (`verdict.waivers`).
    """
    old, new = _scales(base.gate), _scales(head.gate)
    own = {
        name: getattr(head.gate if rank >= old[name][0] or f"policy.{name}" in allowed else base.gate, name)
        for name, (rank, _) in new.items()
    }
    return msgspec.structs.replace(
        head,
        policy=msgspec.structs.replace(head.policy, **own),
        checks=msgspec.structs.replace(
            head.checks,
            disable=_both_or_allowed(base.checks.disable, head.checks.disable, "checks.disable", allowed),
            disable_rules=_both_or_allowed(base.checks.disable_rules, head.checks.disable_rules, "checks.disable_rules", allowed),
            exclude=_both_or_allowed(base.checks.exclude, head.checks.exclude, "checks.exclude", allowed),
            enable=_either_unless_allowed(base.checks.enable, head.checks.enable, "checks.enable", allowed),
            manifests=_either_unless_allowed(base.checks.manifests, head.checks.manifests, "checks.manifests", allowed),
            secret_rules=_either_unless_allowed(base.checks.secret_rules, head.checks.secret_rules, "checks.secret_rules", allowed),
            policies=_either_unless_allowed(base.checks.policies, head.checks.policies, "checks.policies", allowed),
        ),
    )


def _both_or_allowed(base: tuple[Any, ...], head: tuple[Any, ...], name: str, allowed: frozenset[str]) -> tuple[Any, ...]:
    return tuple(item for item in head if item in base or f"{name}:{item}" in allowed)


def _either_unless_allowed(base: tuple[str, ...], head: tuple[str, ...], name: str, allowed: frozenset[str]) -> tuple[str, ...]:
    return head + tuple(item for item in base if item not in head and f"{name}:{item}" not in allowed)


def narrowed(path: str, setting: str, before: bytes, after: bytes) -> tuple[Weakening, ...]:
    """Where a file that the policy names asks for less than it did.

    Rule files are compared rule by rule: a further rule is no weakening, a rule that is gone or changed is. Of a tool's manifest nothing
    can be said in general, so any change of it is named. Only what was no TOML before counts as having asked for nothing.
    """
    old, new = _tree(before), _tree(after)
    if old == new:
        return ()
    if setting == "policies":
        rules, left = _rules(old, "policy"), _rules(new, "policy")
        texts = [f"policy {name!r} of {path} is gone or changed" for name, row in rules.items() if left.get(name) != row]
    elif setting == "secret_rules":
        rules, left = _rules(old, "rules"), _rules(new, "rules")
        gone = [f"rule {name!r} of {path} is gone or changed" for name, row in rules.items() if left.get(name) != row]
        rest = {k: v for k, v in old.items() if k != "rules"} != {k: v for k, v in new.items() if k != "rules"}
        texts = gone + ([f"what {path} overlooks has changed"] if rest else [])
    else:
        texts = [f"{path} has changed: whether the tool still looks for as much can't be told"]
    return tuple(Weakening(f"checks.{setting}:{path}", text) for text in texts)


def _tree(data: bytes) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - see `parse_policy`

    try:
        return tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return {}


def _rules(tree: dict[str, Any], table: str) -> dict[str, Any]:
    rows = tree.get(table, [])
    return {str(row.get("id", number)): row for number, row in enumerate(rows) if isinstance(row, dict)} if isinstance(rows, list) else {}
