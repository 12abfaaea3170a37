"""The layers of an image, proved and listed: from memory where they are known, by one pass where they are not.

A layer is proved in the cheapest way that is still a proof:
1. the file that holds it is the very one in which it was proved before;
2. its packed bytes have the digest of packed bytes that were proved before;
3. its unpacked stream has the diff-id, and an index of that diff-id is known;
4. one whole pass, see `assaymark.subjects.image.layer`.
"""

# ruff: noqa: PTH123
from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from threading import Thread

from assaymark.subjects.archive import refused
from assaymark.subjects.image.layer import LayerIndex, index_layer, mismatch, verify_layer
from assaymark.subjects.image.layout import Layer, Layout
from assaymark.subjects.image.places import Blob
from assaymark.subjects.image.remembered import Remembered, stamp, state
from assaymark.subjects.image.unpacking import PIECE
from assaymark.subjects.listing import printable_name


def shown(path: str, number: int, count: int) -> str:
    """What errors call a layer."""
    return f"layer {number + 1} of {count} of {printable_name(path)}"


def all_proved(layout: Layout, memory: Remembered) -> bool:
    """Whether every layer is known to be the one that its diff-id names, without looking into one; False says nothing against the image."""
    return all(_is_proved(layer, memory) for layer in layout.layers)


def indexes(layout: Layout, path: str, memory: Remembered) -> Iterator[LayerIndex]:
    """The indexes of the layers, lowest first; equal layers are read once.

    Raises:
        SubjectUnreadable: when one is damaged, hostile, or not what the image says.
    """
    for number, layer in enumerate(layout.layers):
        yield _index(layer, shown(path, number, len(layout.layers)), memory)


def _index(layer: Layer, name: str, memory: Remembered) -> LayerIndex:
    known = memory.recall("layer", layer.diff_id, LayerIndex)
    if known is not None and known.diff_id == layer.diff_id:
        if not _is_proved(layer, memory):
            _read(layer, name, memory, known)
        return known
    return _read(layer, name, memory, None)


def _is_proved(layer: Layer, memory: Remembered) -> bool:
    place = _place(layer.blob)
    if place and memory.recall("place", place, str) == layer.diff_id:
        return True
    if layer.stored and memory.recall("stored", layer.stored, str) == layer.diff_id and _digest(layer.blob) == layer.stored:
        _note(layer, place, memory)
        return True
    return False


def _read(layer: Layer, name: str, memory: Remembered, known: LayerIndex | None) -> LayerIndex:
    blob = layer.blob
    before, place = state(blob.path), _place(blob)
    packed: list[str] = []
    beside = Thread(target=lambda: packed.append(_digest(blob)), daemon=True) if layer.stored else None
    if beside is not None:
        beside.start()
    try:
        with open(blob.path, "rb") as file:
            if known is not None:
                verify_layer(file.fileno(), blob.offset, blob.length, diff_id=layer.diff_id, shown=name)
                found = known
            else:
                found = index_layer(file.fileno(), blob.offset, blob.length, diff_id=layer.diff_id, shown=name)
    except OSError as error:
        raise refused(name, f"it cannot be read: {error.strerror or error}", "get the image again") from error
    finally:
        if beside is not None:
            beside.join()
    if layer.stored and packed != [layer.stored]:
        raise mismatch(name, layer.stored, packed[0] if packed else "unreadable")
    if known is None:
        memory.keep("layer", layer.diff_id, found)
    if layer.stored and state(blob.path) == before:  # both readings saw the same bytes
        memory.keep("stored", layer.stored, layer.diff_id)
    _note(layer, place, memory)
    return found


def _note(layer: Layer, place: str, memory: Remembered) -> None:
    """Remember the proof, if the file is still the one that was there before it was read."""
    if place and _place(layer.blob) == place:
        memory.keep("place", place, layer.diff_id)


def _place(blob: Blob) -> str:
    """Where a blob is, and in which state of its file; empty when that cannot be told for sure."""
    if blob.path.startswith("/proc/"):
        return ""
    found = stamp(blob.path)
    return f"{found}:{blob.offset}:{blob.length}" if found else ""


def _digest(blob: Blob) -> str:
    seal = hashlib.sha256()
    with open(blob.path, "rb") as file:
        offset, end = blob.offset, blob.offset + blob.length
        while offset < end and (piece := os.pread(file.fileno(), min(PIECE, end - offset), offset)):
            seal.update(piece)
            offset += len(piece)
    return "sha256:" + seal.hexdigest()
