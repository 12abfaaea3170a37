"""Apache's configuration and ``.htaccess`` files, judged by our own rules.

Guarantees: one outcome per tree; a file that can't be read or that is not in the tree is a gap of its own and takes nothing from the
others; a flaw has its virtual host (name and ports) and section as address, so sections can move between files.
Does not know which modules the machine loads when the tree does not say it, defaults of the library, or what stands before the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of, sha256
from assaymark.model.finding import CheckId, Layer

_ID = CheckId("apache")
_ENDINGS = (".conf", ".conf.template", ".vhost", ".htaccess")
_COPIES = ("default", "dist", "example", "sample", "prod", "production", "staging", "dev")
_MAIN = ("apache2.conf", "httpd.conf")
_FOLDERS = ("apache", "httpd")
_SITES = ("sites-available", "sites-enabled")
_OTHER = re.compile(r"\.(?:md|py|rb|sh|js|ya?ml|json|j2|erb|tf|html?|key|pem|crt|php|txt)\Z")


class Apache:
    """See the module."""

    id = _ID
    layer = Layer.PLATFORM
    unit = UnitKind.TREE
    version = "1"

    def knowledge(self) -> str:
        """The rules are code and belong to `version`; the profile is data."""
        from assaymark.checks.platform.webserver.profile import data_bytes  # noqa: PLC0415  select needs no data

        return digest_of([_ID, sha256(data_bytes())])

    def select(self, path: str) -> Dialect | None:
        """``.htaccess`` and every ``.conf``, since any may be included; content tells which are Apache's."""
        folder, _, name = path.rpartition("/")
        stem, _, ending = name.rpartition(".")
        if name.endswith(_ENDINGS) or (ending == "pem" and "dh" in stem.casefold()) or (stem.endswith(_MAIN) and ending in _COPIES):
            return Dialect("apache")
        inside = ending in {"load", "inc"} and any(word in folder.casefold() for word in _FOLDERS)
        return Dialect("apache") if (inside or folder.endswith(_SITES)) and not _OTHER.search(name) else None

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each tree on its own."""
        for each in inputs:
            yield each.digest, _judge(each)


def make(settings: CheckSettings) -> Apache:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return Apache()


def _judge(each: Input) -> Outcome:
    from assaymark.checks.platform.webserver.apache_files import read_all  # noqa: PLC0415  not needed to select
    from assaymark.checks.platform.webserver.apache_model import assemble  # noqa: PLC0415
    from assaymark.checks.platform.webserver.apache_rules import EXAMINERS, RULES  # noqa: PLC0415
    from assaymark.checks.platform.webserver.report import answer  # noqa: PLC0415
    from assaymark.checks.reading.yaml_tree import Unreadable  # noqa: PLC0415

    given = read_all(each.parts)
    try:
        config = assemble(given)
        if not config.roots and not config.gaps:
            return Checked(skipped="other-format")
        found = (flaw for examine in EXAMINERS for flaw in examine(config))
        return Checked(sightings=answer(_ID, RULES, found, config.gaps, given.texts))
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
