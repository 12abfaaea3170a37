"""Images, judged by what they say of themselves: configuration, history, and the rights of their files.

Guarantees: exactly one outcome per input; every document is bounded; a flaw has the setting or the file as address, so layers can be
rebuilt, reordered and renamed without anything counting as new.
Reads the documents that an image subject offers under names which no archive, folder or repository can have (they hold an empty part): a
file of a similar name is never taken for one. Does not look into files: secrets, code and packages are other checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, Layer

_ID = CheckId("image")
_DIALECTS = {"image//config.json": Dialect("image-config"), "image//files.json": Dialect("image-files")}


class Image:
    """See the module."""

    id = _ID
    layer = Layer.INFRASTRUCTURE
    unit = UnitKind.BLOB
    version = "1"

    def knowledge(self) -> str:
        """The rules are code and belong to `version`."""
        return digest_of([_ID])

    def select(self, path: str) -> Dialect | None:
        """The two documents of an image."""
        return _DIALECTS.get(path)

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        for each in inputs:
            yield each.digest, _judge(each)


def make(settings: CheckSettings) -> Image:  # noqa: ARG001 - the door is the same for every check
    """The check."""
    return Image()


def _judge(each: Input) -> Outcome:
    from assaymark.checks.infrastructure.images.documents import Unreadable, read_config, read_files  # noqa: PLC0415 - not to select
    from assaymark.checks.infrastructure.images.rules import CONFIG_RULES, FILE_RULES, sightings  # noqa: PLC0415

    try:
        if each.dialect == "image-config":
            config = read_config(each.content)
            return Checked(sightings(_ID, (flaw for rule in CONFIG_RULES for flaw in rule(config))))
        files = read_files(each.content)
        return Checked(sightings(_ID, (flaw for rule in FILE_RULES for flaw in rule(files))))
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason)
