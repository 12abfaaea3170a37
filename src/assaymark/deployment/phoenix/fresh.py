"""Whom to believe at this moment: newer trust and revocations are fetched before each question, where the folder names a server.

Guarantees: what is fetched is verified by TUF's rules before it is used (`distribution.updating`); when it cannot be fetched, what is held
counts for as long as it may (its timestamp, then the folder's grace), and the answer says so: a server that is down stops no rollback, and
whoever holds newer revocations back does so no longer than that. After a failure it is not tried again for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from assaymark.advisories.download import ask_directly
from assaymark.deployment.phoenix.terms import Believe
from assaymark.endorsement.asking import believed
from assaymark.endorsement.asking.believed import Believed
from assaymark.endorsement.distribution import client
from assaymark.errors import AssayError, EngineMissing, UsageError
from assaymark.model.assessment import SECOND, Instant

PAUSE = 30 * SECOND
"""After a failure; each question would wait for the network again."""


def believing(terms: Believe, fetch: Callable[[Path, Instant], None] | None = None) -> Callable[[Instant], Believed]:
    """What to verify with, asked anew each time.

    Raises, when it is asked:
        UsageError: when there is nothing to believe, or it was damaged.
    """
    take = fetch or take_newest
    failed: list[tuple[Instant, str]] = []

    def believed_at(now: Instant) -> Believed:
        if not terms.trust:
            raise UsageError("it is not said whom to believe", advice="write trust = … under [believe] in the terms")
        folder = Path(terms.trust)
        is_kept = terms.update and (folder / client.SETTINGS).is_file() and bool(client.keeping(folder).source)
        if is_kept and (not failed or now - failed[-1][0] >= PAUSE):
            failed.clear()
            try:
                take(folder, now)
            except AssayError as error:
                failed.append((now, f"newer trust was not taken: {error.what}{': ' if error.why else ''}{error.why}"))
        found = believed.from_place(terms.trust, terms.revocations, now)
        return replace(found, notes=(*found.notes, *(text for _, text in failed)))

    return believed_at


def take_newest(folder: Path, now: Instant) -> None:
    """Fetch what the folder's server distributes.

    Raises:
        AssayError: when it cannot be fetched, or is not what the trusted keys signed.
    """
    try:
        from assaymark.endorsement.distribution import sources, updating  # noqa: PLC0415 - TUF's library is an extra
    except ImportError as error:
        raise EngineMissing("TUF's library is not installed", why=str(error), advice="pip install 'assaymark[trust]'") from error
    updating.take(folder, updating.server(client.keeping(folder).source, sources.Server(ask_directly)), now)
