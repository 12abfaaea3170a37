"""Whether the state that something is compared with is endorsed: what `assay verify` asks, about the very bytes that are used."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from assaymark.errors import NotEndorsed

if TYPE_CHECKING:
    from assaymark.cli.drift_looking import Asked
    from assaymark.model.assessment import Instant


def endorsed(asked: Asked, name: str, data: bytes, now: Instant) -> str:
    """By what it is.

    Raises:
        NotEndorsed: when it is not, or nothing shows that it is.
        UsageError: when the trust cannot be read.
    """
    from assaymark.cli.verify import believing, prover
    from assaymark.endorsement.asking import asked as asking
    from assaymark.endorsement.asking.answer import Outcome, Question, decided
    from assaymark.endorsement.asking.bundles import gathered
    from assaymark.endorsement.verify import Expected

    believed = believing(asked.trust, asked.keys, asked.verifier, "", now)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    thing = asking.Asked(name, asking.Kind.FILE, (digest,), os.path.realpath(name))
    question = Question(Expected(environment=asked.environment), believed, now, prover(believed, ""))
    answer = decided(thing, gathered(thing, asked.bundles), question)
    held = answer.verification
    if answer.outcome is not Outcome.APPROVED or held is None:
        why = "; ".join(f"{each.reason}: {each.text}" for each in answer.refused)
        raise NotEndorsed(f"{name} is not endorsed", why=why, advice="compare with a state that is: nothing was looked at")
    return f"{name} is endorsed by {held.id}"
