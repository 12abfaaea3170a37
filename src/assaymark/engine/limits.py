"""What a run may cost. Every bound ends in an `Unchecked` outcome with its reason, never in silence."""

from __future__ import annotations

import os

from msgspec import Struct

MEBIBYTE = 1 << 20


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of one run."""

    max_bytes: int = 8 * MEBIBYTE
    """A larger file is not read; generated data and archives, in practice."""
    max_unit_bytes: int = 128 * MEBIBYTE
    """Sum over the files of a wider unit."""
    workers: int = 0
    """Processes at once; 0 means one per usable processor."""
    memory_bytes: int = 4096 * MEBIBYTE
    """Address space of a worker and of each program that it starts. Generous: allocators of Rust programs reserve a gigabyte at once."""
    batch_inputs: int = 1024
    batch_bytes: int = 4 * MEBIBYTE
    tiny_inputs: int = 64
    """A plan with no more inputs and bytes than these is not spread: a fork costs more than it saves."""
    tiny_bytes: int = MEBIBYTE // 2
    batch_seconds: float = 15.0
    """Granted to every batch, whatever its size."""
    first_use_seconds: float = 90.0
    """On top, until a check has given its first outcome of the run: its first use ever may compile what it keeps for later."""
    seconds_per_input: float = 0.02
    seconds_per_mebibyte: float = 5.0
    overall_seconds: float = 0.0
    """For the whole run; 0 means none."""
    give_up_after: int = 16
    """So many inputs in a row on which a check fails alone end that check for this run; a time-out counts four times."""
    isolate: bool = True
    """False runs the checks in this process: no time or memory limits, for tests and debuggers."""

    def grant(self, inputs: int, size: int) -> float:
        """Seconds for a batch of so many inputs and bytes."""
        return self.batch_seconds + inputs * self.seconds_per_input + size / MEBIBYTE * self.seconds_per_mebibyte

    def worker_count(self) -> int:
        return self.workers or usable_processors()


def usable_processors() -> int:
    """Processors that this process may run on (containers and `taskset` allow fewer than there are)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
