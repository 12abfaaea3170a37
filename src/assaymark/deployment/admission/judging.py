"""Whether what is about to start may start: the same for both kinds of reviews.

Guarantees: nothing is allowed because it could not be understood; whoever tries a gate out (`enforce` off) is told what would be refused
and nothing is; namespaces that are exempt are never asked about, so that the cluster and whoever guards it can always be repaired. A word
in an annotation opens nothing unless the gate was told to obey it, because whoever may start a pod may write one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from assaymark.deployment.admission.images import Image
from assaymark.endorsement.trust import matches
from assaymark.endorsement.verify import Refusal, Verification

BREAK_GLASS = "assaymark.image-policy.k8s.io/break-glass"
"""Annotation whose value says why; ImagePolicyWebhook sends on only those whose name has this form."""
NEVER_ASKED = "kube-system"
UNPINNED = "not-pinned"
UNREADABLE = "unreadable"
_MOST_IMAGES = 500

Judge = Callable[[str, str], Verification]
"""(digest, environment): whether it is approved there now."""


class Terms(Struct, frozen=True):
    """How a gate stands."""

    environment: str = ""
    """Of every namespace that `namespaces` does not name; empty: approved for any."""
    namespaces: tuple[tuple[str, str], ...] = ()
    """(namespace, environment); a namespace may end in ``*``, the first that fits counts."""
    exempt: tuple[str, ...] = ()
    """Namespaces that are never asked about, beside kube-system; the gate's own is one."""
    enforce: bool = False
    obeys_break_glass: bool = False
    url: str = ""
    """Of the server, for links."""

    def environment_of(self, namespace: str) -> str:
        return next((each for pattern, each in self.namespaces if matches((pattern,), namespace)), self.environment)

    def is_exempt(self, namespace: str) -> bool:
        return namespace == NEVER_ASKED or namespace in self.exempt


class Doubt(Struct, frozen=True):
    """Why an image may not start."""

    path: str
    image: str
    digest: str
    reason: str
    """A `Refusal`, ``not-pinned`` or ``unreadable``."""
    text: str


class Decision(Struct, frozen=True):
    """What is answered, and why."""

    allowed: bool
    outcome: str
    """``approved``, ``nothing-new``, ``exempt``, ``would-refuse``, ``refused``, ``break-glass``."""
    environment: str = ""
    doubts: tuple[Doubt, ...] = ()
    endorsements: tuple[str, ...] = ()
    break_glass: str = ""
    """What the annotation said, whether or not it was obeyed."""
    remarks: tuple[str, ...] = ()
    """What is approved, and what is not known of it."""


def decide(images: Sequence[Image], namespace: str, annotations: Mapping[str, str], terms: Terms, judge: Judge) -> Decision:
    """Of images that are not there yet."""
    if terms.is_exempt(namespace):
        return Decision(allowed=True, outcome="exempt")
    environment = terms.environment_of(namespace)
    said = annotations.get(BREAK_GLASS, "").strip()[:500]
    if not images:
        return Decision(allowed=True, outcome="nothing-new", environment=environment, break_glass=said)
    if len(images) > _MOST_IMAGES:
        return refused([_unreadable(f"it names {len(images)} images, at most {_MOST_IMAGES} are looked at")], environment, said, terms)
    doubts: list[Doubt] = []
    held: list[str] = []
    remarks: list[str] = []
    for image in images:
        digest = image.digest
        if not digest:
            doubts.append(Doubt(image.path, image.text, "", UNPINNED, "its name does not say which bytes will run; add @sha256:…"))
            continue
        found = judge(digest, environment)
        if found.ok:
            held.append(found.id)
            if found.unjudged:
                remarks.append(f"{shown(image.text)}: nothing is known of its platforms {shown(', '.join(found.unjudged))}")
        else:
            doubts += [Doubt(image.path, image.text, digest, each.reason, each.text) for each in found.refused[:1]] or [_silent(image)]
    named = tuple(dict.fromkeys(held))
    if not doubts:
        return Decision(
            allowed=True, outcome="approved", environment=environment, endorsements=named, break_glass=said, remarks=tuple(remarks)
        )  # fmt: skip
    return refused(doubts, environment, said, terms, named)


def refused(doubts: Sequence[Doubt], environment: str, said: str, terms: Terms, held: tuple[str, ...] = ()) -> Decision:
    """What becomes of doubts at a gate that stands so."""
    broken = bool(said) and terms.obeys_break_glass
    outcome = "break-glass" if broken else "refused" if terms.enforce else "would-refuse"
    return Decision(
        allowed=broken or not terms.enforce, outcome=outcome, environment=environment, doubts=tuple(doubts), endorsements=held,
        break_glass=said,
    )  # fmt: skip


def unreadable(why: str, namespace: str, terms: Terms) -> Decision:
    """Of an object whose images could not be found out."""
    if terms.is_exempt(namespace):
        return Decision(allowed=True, outcome="exempt")
    return refused([_unreadable(why)], terms.environment_of(namespace), "", terms)


def sentence(decision: Decision, url: str) -> str:
    """Why, for whoever asked for it, with where to read on."""
    told = "; ".join(f"{shown(each.path)} {shown(each.image)}: {each.reason}, {shown(each.text)}" for each in decision.doubts[:5])
    more = f" and {len(decision.doubts) - 5} more" if len(decision.doubts) > 5 else ""
    where = f" for {shown(decision.environment)}" if decision.environment else ""
    first = next((each.digest for each in decision.doubts if each.digest), "")
    link = f" (see {url}/trace?q={first})" if url and first else ""
    return f"not Quality Approved{where}: {told}{more}{link}"[:3500]


def shown(text: str) -> str:
    """Words of strangers on one line, in a bound: they end in headers and logs."""
    return "".join(each if each.isprintable() else "?" for each in text[:300])


def _unreadable(why: str) -> Doubt:
    return Doubt("", "", "", UNREADABLE, why)


def _silent(image: Image) -> Doubt:
    return Doubt(image.path, image.text, image.digest, Refusal.ABSENT, "it is not approved")
