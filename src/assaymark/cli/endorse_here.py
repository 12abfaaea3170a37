"""Signs a verdict without a server: with a key of one's own, for the very commit that was checked.

Guarantees: the verdict is read strictly, must be a pass by its outcome, by its reasons and by each finding, and must be of a commit that is
here (or of an image by digest); its tree is taken from the repository, not from anybody's word. The key is opened by `endorsement.signers`
and only signs. Who has the key can sign what he likes: whether it is believed is for whoever trusts it.
"""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path

from msgspec import Struct

from assaymark.endorsement import approval, bundle, dsse, strict_json, wording
from assaymark.endorsement.signers.address import SCHEMES
from assaymark.endorsement.signers.opening import open_signer
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.endorsement.wording import Ground
from assaymark.errors import UsageError
from assaymark.model.assessment import Instant
from assaymark.model.verdict import Outcome, Verdict
from assaymark.verdict.again import outcome_of
from assaymark.views.jsonout import FORMAT, VERSION, VerdictDocument

_COMMIT = re.compile(r"git-sha(?:1:[0-9a-f]{40}|256:[0-9a-f]{64})")
_IMAGE = re.compile(r"sha256:[0-9a-f]{64}")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:\S+")


class NotPassedError(UsageError):
    """The verdict is none that is endorsed."""


class Order(Struct, frozen=True):
    """What is to be signed, and as whom."""

    subject: str
    """Commit or digest that the verdict has to be of; empty: whichever it names."""
    key: str
    verifier: str
    resource: str
    environments: tuple[str, ...]
    days: int
    bake: Path | None = None
    """Report of the bake that the verdict is of."""


def sign(data: bytes, order: Order) -> tuple[bytes, str]:
    """The bundle, and the name of the endorsement.

    Raises:
        UsageError: when it is no pass, is of something else, or the key cannot be used.
    """
    for name, value in (("--key", order.key), ("--verifier", order.verifier), ("--resource", order.resource)):
        if not value:
            raise UsageError(f"{name} is missing", advice="sign with `assay endorse --verdict FILE --key … --verifier … --resource …`")
    for name, value in (("--verifier", order.verifier), ("--resource", order.resource)):
        if not _ADDRESS.fullmatch(value):
            raise UsageError(f"{name} {value[:100]!r} is no address", advice="write it as https://… or git+https://…")
    verdict, now = _passed(data), Instant(time.time_ns() // 1000)
    why = wording.refusal(verdict, now)
    if why:
        raise NotPassedError("this verdict is not endorsed", why=why, advice="check again, and sign what passes")
    subjects, is_source = _subjects(verdict, order)
    ground = Ground(
        subjects=subjects, resource=order.resource, is_source=is_source, verifier=order.verifier, policy=order.verifier, verified_at=now,
        days=order.days, environments=order.environments, base=_base(verdict),
    )  # fmt: skip
    if order.bake is not None:
        from assaymark.cli.endorse_baked import grounded

        ground = grounded(ground, order.bake, data, verdict)
        subjects = ground.subjects
    payload = approval.write(subjects, wording.write(verdict, ground))
    signed = bundle.written(dsse.sign(PAYLOAD_TYPE, payload, open_signer(_address(order.key))))
    return signed, "sha256:" + hashlib.sha256(payload).hexdigest()


def _passed(data: bytes) -> Verdict:
    try:
        found = strict_json.read(data, VerdictDocument)
    except strict_json.NotStrictError as error:
        raise UsageError("this is no verdict", why=str(error)[:300], advice="write one with `assay check --format json`") from error
    if found.format != FORMAT or found.version.partition(".")[0] != VERSION.partition(".")[0]:
        raise UsageError("this is no verdict that this release reads", why=f"it says {found.format[:50]!r} {found.version[:20]!r}")
    verdict = found.verdict
    if verdict.outcome is not Outcome.PASS:
        raise NotPassedError(f"this verdict is {verdict.outcome.value}", why="only a pass is endorsed", advice="repair what stops it")
    if outcome_of(verdict.reasons) is not Outcome.PASS or any(judged.gates for judged in verdict.findings):
        raise NotPassedError("this verdict contradicts itself", why="it says pass, and names what stops it", advice="check again")
    return verdict


def _subjects(verdict: Verdict, order: Order) -> tuple[tuple[Named, ...], bool]:
    head = verdict.head
    value = head.digest.partition(":")[2]
    if order.subject and order.subject.rpartition(":")[2] != value:
        word = order.subject if ":" in order.subject else _resolved(order.subject)[0]
        if word.rpartition(":")[2] != value:
            raise UsageError(f"the verdict is of {head.digest}, not of {order.subject[:100]}", advice="check what is to be signed")
    if head.kind == "commit" and _COMMIT.fullmatch(head.digest):
        oid, tree = _resolved(value)
        return (Named(f"commit {oid[:12]}", {"gitCommit": oid, "gitTree": tree}),), True
    if head.kind == "image" and _IMAGE.fullmatch(head.digest):
        return (Named(order.resource, {"sha256": value}),), False
    raise UsageError(
        f"a verdict of a {head.kind[:50]} is not signed", why="it is not one commit or image that anybody could find again",
        advice="commit, and check the commit: `assay check HEAD --format json`",
    )  # fmt: skip


def _resolved(word: str) -> tuple[str, str]:
    """Commit and tree, as the repository here has them."""
    from assaymark.cli.place import need_repository
    from assaymark.subjects.commits import resolve

    repository = need_repository()
    oid = resolve(repository, word).oid
    rows = repository.git.run("rev-list", "--no-commit-header", "--format=%T", "--max-count=1", oid, "--").split()
    return oid, rows[0].decode("ascii")


def _base(verdict: Verdict) -> str:
    digest = verdict.base.digest
    if verdict.base.kind == "commit" and _COMMIT.fullmatch(digest):
        return f"gitCommit:{digest.partition(':')[2]}"
    return digest if verdict.base.kind == "image" and _IMAGE.fullmatch(digest) else ""


def _address(key: str) -> str:
    return key if key.startswith(tuple(f"{each}:" for each in SCHEMES)) else f"file:{Path(key).absolute()}"
