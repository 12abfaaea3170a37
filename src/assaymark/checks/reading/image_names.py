"""Names of container images: what in them can change without notice."""

from __future__ import annotations

import re

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")
_MOVING = re.compile(
    r"(?:latest|stable|edge|nightly|main|master|develop|dev|rolling|current|lts|dind|git|snapshot|canary|head|testing|unstable|sid)\Z",
    re.IGNORECASE,
)


def _tag(image: str) -> str:
    last = image.rpartition("/")[2]
    return last.partition(":")[2]


def name_of(image: str) -> str:
    """The image without tag and digest, so that raising either is no new finding."""
    plain = image.partition("@")[0]
    folder, slash, last = plain.rpartition("/")
    return folder + slash + last.partition(":")[0]


def moves(image: str) -> str:
    """Why an image's content is expected to change: a moving tag or none; empty when it is fixed or built from variables."""
    if "$" in image or "{{" in image or _DIGEST.search(image) or not image or image == "scratch":
        return ""
    tag = _tag(image)
    if not tag:
        return "has no tag"
    return f"has the moving tag {tag}" if _MOVING.match(tag) else ""


def without_digest(image: str) -> bool:
    """True when a tag is all that fixes the image."""
    return bool(image) and "$" not in image and not _DIGEST.search(image)
