"""How work is cut into batches: by bytes and count, big ones first, all checks of one content together.

Pure. Guarantees that every index given is in exactly one batch, and that splitting a batch always makes smaller ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from assaymark.engine.executor import Work

PIECES = 8
"""A batch that failed is cut into so many: 1024 inputs are down to single ones after four failures."""


class Batch(Struct, frozen=True):
    """Inputs that one worker gets at once."""

    indices: tuple[int, ...]
    size: int


def starts_processes(work: Work, index: int) -> bool:
    """Whether the input's check spends its time in a program of its own; a check says so with ``starts_processes = True``."""
    return bool(getattr(work.checks[work.inputs[index].key.check], "starts_processes", False))


def batches(work: Work, indices: Sequence[int], workers: int) -> list[Batch]:
    """Batches in the order in which they should start."""
    total = sum(work.inputs[index].size for index in indices)
    limits = work.limits
    if len(indices) <= limits.tiny_inputs and total <= limits.tiny_bytes:
        return _lanes(work, indices, workers)
    # Four batches per worker let the last ones end together; a batch of few files would start an external tool too often.
    most_bytes = min(limits.batch_bytes, max(limits.tiny_bytes, total // (4 * workers)))
    most_inputs = min(limits.batch_inputs, max(limits.tiny_inputs, len(indices) // (4 * workers)))
    made: list[Batch] = []
    now: list[int] = []
    size = 0
    for group in _by_content(work, indices):
        weight = work.inputs[group[0]].size
        if now and (size + weight > most_bytes or len(now) + len(group) > most_inputs):
            made.append(Batch(tuple(now), size))
            now, size = [], 0
        now.extend(group)
        size += weight
    made.append(Batch(tuple(now), size))
    return sorted(made, key=lambda batch: batch.size, reverse=True)


def split(work: Work, indices: Sequence[int]) -> list[Batch]:
    """Smaller batches of inputs that failed together."""
    step = max(1, -(-len(indices) // PIECES))
    return [batch_of(work, indices[start : start + step]) for start in range(0, len(indices), step)]


def batch_of(work: Work, indices: Sequence[int]) -> Batch:
    """These inputs as they are."""
    return Batch(tuple(indices), sum(work.inputs[index].size for index in indices))


def _lanes(work: Work, indices: Sequence[int], workers: int) -> list[Batch]:
    """Few inputs: one batch, or two when a waiting check and a computing one can overlap, for the price of reading little twice."""
    outside = [index for index in indices if starts_processes(work, index)]
    inside = [index for index in indices if not starts_processes(work, index)]
    lanes = [outside, inside] if workers > 1 else [list(indices)]
    return [batch_of(work, lane) for lane in lanes if lane]


def _by_content(work: Work, indices: Sequence[int]) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for index in indices:
        groups.setdefault(work.inputs[index].key.digest, []).append(index)
    return list(groups.values())
