"""A ref that moved, came or went, as the trigger that every forge's push means."""

from __future__ import annotations

from typing import Protocol

from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind


class Teller(Protocol):
    """A forge's event, which knows its repository and its actor."""

    def trigger(self, kind: TriggerKind, subject: SubjectKind = SubjectKind.BRANCH, **more: object) -> Trigger: ...


def moved(event: Teller, name: str, before: str, after: str, *, at: str = "") -> tuple[Trigger, ...]:
    """Of branches and tags; empty commits mean that it came (`before`) or went (`after`)."""
    is_tag = name.startswith("refs/tags/")
    if not is_tag and not name.startswith("refs/heads/"):
        return ()
    subject = SubjectKind.TAG if is_tag else SubjectKind.BRANCH
    if not after:
        return (event.trigger(TriggerKind.ENDED, subject, ref=name, before=before),)
    return (event.trigger(TriggerKind.TAG if is_tag else TriggerKind.PUSH, subject, ref=name, before=before, after=after, at=at),)
