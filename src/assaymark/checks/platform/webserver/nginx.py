"""nginx's configuration, judged by our own rules.

Guarantees: one outcome per tree; a file that can't be read or that is not in the tree is a gap of its own and takes nothing from the
others; a flaw has its server (first name and ports) and location as address, so blocks can move between files.
Does not know defaults of the library or of the build, what stands before the server, or which files the running process has loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of, sha256
from assaymark.model.finding import CheckId, Layer

_ID = CheckId("nginx")
_ENDINGS = (".conf", ".conf.template", ".nginx", ".vhost")
_COPIES = ("default", "dist", "example", "sample", "prod", "production", "staging", "dev")
_FOLDERS = ("nginx", "openresty")
_SITES = ("sites-available", "sites-enabled")
_OTHER = re.compile(
    r"(?:^|/)(?:Dockerfile|Makefile|Jenkinsfile|LICENSE|README|CHANGELOG|NOTICE|VERSION|CODEOWNERS|Vagrantfile|Gemfile|Procfile|configure)[^/]*\Z"
    r"|\.(?:md|py|rb|sh|js|c|h|cc|go|rs|ya?ml|json|j2|erb|tf|html?|key|pem|crt|t|pm)\Z|(?:^|/)(?:src|objs|auto|contrib|test[s]?|\.git)/(?:.*/)?[^/.]+\Z"
)


class Nginx:
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
        """Every ``.conf``, since any may be included, and what else lies in nginx's folders; content tells which are nginx's."""
        folder, _, name = path.rpartition("/")
        stem, _, ending = name.rpartition(".")
        if name.endswith(_ENDINGS) or (ending == "pem" and "dh" in stem.casefold()) or (stem.endswith("nginx.conf") and ending in _COPIES):
            return Dialect("nginx")
        inside = any(word in folder.casefold() for word in _FOLDERS) and (not stem or ending in {"inc", "template", "types"})
        if not (inside or folder.endswith(_SITES)):
            return None
        return None if _OTHER.search(path) or name.startswith(".") else Dialect("nginx")

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each tree on its own."""
        for each in inputs:
            yield each.digest, _judge(each)


def make(settings: CheckSettings) -> Nginx:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return Nginx()


def _judge(each: Input) -> Outcome:
    from assaymark.checks.platform.webserver.nginx_files import read_all  # noqa: PLC0415  not needed to select
    from assaymark.checks.platform.webserver.nginx_model import assemble  # noqa: PLC0415
    from assaymark.checks.platform.webserver.nginx_rules import EXAMINERS, RULES  # noqa: PLC0415
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
