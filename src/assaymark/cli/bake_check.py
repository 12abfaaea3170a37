"""Says whether the base of an image was withdrawn or superseded: by revocations, by its endorsements, by where the newest one is told."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from msgspec.structs import replace

from assaymark.deployment.bake import layout, report
from assaymark.deployment.bake.programs import Programs
from assaymark.deployment.bake.recipe import LAYOUT
from assaymark.deployment.bake.report import Report
from assaymark.deployment.bake.standing import State, Told, standing
from assaymark.errors import AssayError, SubjectUnreadable, UsageError
from assaymark.model.assessment import Instant

if TYPE_CHECKING:
    from assaymark.endorsement.asking.believed import Believed

EXIT = {State.STANDS: 0, State.WITHDRAWN: 1, State.SUPERSEDED: 1, State.UNKNOWN: 5}
_STORED = "containers-storage:"
_DIGEST_LENGTH = len("sha256:") + 64


class Asked(Struct, frozen=True):
    report: str
    trust: str
    bundles: tuple[str, ...]
    follow: str
    storage: str
    as_json: bool


def check(asked: Asked) -> int:
    """Say it; the exit code.

    Raises:
        UsageError: when the report or the trust cannot be read.
    """
    found = report.read(Path(asked.report))
    told = _newest(_believed(found, asked), asked.follow or found.base.follow, Programs(asked.storage))
    answer = standing(found, told)
    if asked.as_json:
        click.echo(json.dumps({
            "state": answer.state.value, "image": found.image, "base": answer.base, "newest": answer.newest,
            "reasons": list(answer.reasons), "bakeAgain": answer.wants_bake,
        }, indent=2))  # fmt: skip
    else:
        click.echo(f"{found.name}: the base {answer.base or 'scratch'} {_WORDS[answer.state]}")
        for reason in answer.reasons:
            click.echo(f"  {reason}")
    return EXIT[answer.state]


_WORDS = {
    State.STANDS: "stands", State.WITHDRAWN: "was withdrawn: bake again from another one",
    State.SUPERSEDED: "was superseded: bake again from the newest one", State.UNKNOWN: "is not known to stand",
}  # fmt: skip


def _believed(found: Report, asked: Asked) -> Told:
    """What the trust says of the base."""
    if not asked.trust:
        if asked.bundles:
            raise UsageError("--bundle needs --trust", why="an endorsement is believed by somebody", advice="give --trust FOLDER")
        return Told()
    from assaymark.endorsement.asking import believed as believing

    now = Instant(time.time_ns() // 1_000)
    believed = believing.from_place(asked.trust, "", now)
    if believed.refused is not None:
        return Told(unseen=(f"the trust may not be used: {believed.refused.text}",))
    unseen = tuple(believed.notes)
    told = Told(revoked=believed.revocations, unseen=unseen)
    if not asked.bundles or not found.base.digest:
        return told
    return replace(told, refused=_endorsed(found.base.digest, asked.bundles, believed, now))


def _endorsed(digest: str, bundles: tuple[str, ...], believed: Believed, now: Instant) -> tuple[str, ...]:
    """Why no endorsement of the base holds; empty when one does."""
    from assaymark.endorsement.asking.answer import Outcome, Question, decided
    from assaymark.endorsement.asking.asked import Asked as Named
    from assaymark.endorsement.asking.asked import Kind
    from assaymark.endorsement.asking.bundles import gathered
    from assaymark.endorsement.verify import Expected

    named = Named(digest, Kind.DIGEST, (digest,))
    answer = decided(named, gathered(named, bundles), Question(Expected(), believed, now))
    return () if answer.outcome is Outcome.APPROVED else tuple(each.text for each in answer.refused)


def _newest(told: Told, follow: str, programs: Programs) -> Told:
    if not follow:
        return told
    try:
        return replace(told, newest=_followed(follow, programs))
    except AssayError as error:
        why = f": {error.why}" if error.why else ""
        return replace(told, unseen=(*told.unseen, f"the newest base is not told by {follow}: {error.what}{why}"))


def _followed(follow: str, programs: Programs) -> str:
    if follow.startswith(LAYOUT):
        return layout.read(Path(follow.removeprefix(LAYOUT))).digest
    if follow.endswith(".json") or Path(follow).is_dir():
        return report.read(Path(follow)).image
    place = programs.stored(follow.removeprefix(_STORED)) if follow.startswith(_STORED) else f"docker://{follow}"
    digest = programs.skopeo("inspect", "--no-tags", "--format", "{{.Digest}}", place)
    if not digest.startswith("sha256:") or len(digest) != _DIGEST_LENGTH:
        raise SubjectUnreadable(f"{follow} has no digest", why=digest[:100])
    return digest
