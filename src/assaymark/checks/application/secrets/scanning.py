"""One text through all layers: the prefilter says which, the layers say where.

A text in which the prefilter sees nothing costs one pass of it, and the layers are not even loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.secrets import knowledge, prefilter, versions
from assaymark.checks.application.secrets.dialects import group_of
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Dialect

if TYPE_CHECKING:
    from assaymark.checks.application.secrets.confirmer import TokenConfirmer
    from assaymark.checks.application.secrets.expressions import Expression
    from assaymark.checks.application.secrets.foreign_rules import ForeignRule
    from assaymark.checks.application.secrets.hits import Hit
    from assaymark.checks.application.secrets.judging import Layers

_STRUCTURED = frozenset(
    {"json", "tfstate", "docker-config", "yaml", "kubeconfig", "xml", "dotenv", "properties", "netrc", "pgpass", "htpasswd"}
)
_WITHOUT_KEY_WORD = frozenset({"htpasswd", "pgpass", "docker-config"})


class Scanner:
    """All layers, loaded once per worker process, the dearer ones when first needed."""

    def __init__(self, settings: CheckSettings) -> None:
        self._settings = settings
        identity = knowledge.rules_identity()
        self._prefilter = prefilter.load(settings.cache_dir, identity, self._expressions)
        self._user: tuple[ForeignRule, ...] = ()
        self._user_prefilter: prefilter.Prefilter | None = None
        if settings.secret_rules:
            self._load_user_rules()
        self._leads = [_named(lead) for lead in self._prefilter.leads]
        self._made: Layers | None = None

    def _load_user_rules(self) -> None:
        from assaymark.checks.application.secrets import foreign_rules  # noqa: PLC0415 - few have any

        self._user = foreign_rules.read(self._settings.secret_rules)
        if self._user:
            identity = knowledge.user_identity(self._settings)
            self._user_prefilter = prefilter.load(self._settings.cache_dir, identity, lambda: foreign_rules.leads(self._user))

    def _confirmer(self) -> TokenConfirmer | None:
        from assaymark.checks.application.secrets.confirmer import Kingfisher  # noqa: PLC0415 - only beside the layers

        return Kingfisher(self._settings.cache_dir) if versions.kingfisher_version() else None

    def _expressions(self) -> list[Expression]:
        from assaymark.checks.application.secrets import ruleset  # noqa: PLC0415 - only while a database is built

        confirmer = self._confirmer()
        return ruleset.wanted(confirmer.leads() if confirmer else ())

    def layers(self) -> Layers:
        """What looks closer, loaded when first asked for."""
        if self._made is None:
            from assaymark.checks.application.secrets.judging import Layers  # noqa: PLC0415 - a clean text does not need it

            self._made = Layers(self._confirmer())
        return self._made

    def hits(self, data: bytes, dialect: Dialect) -> list[Hit]:
        """Everything that the layers find, overlapping.

        Raises:
            TooManyPlaces: when the text asks for more work than is bounded.
        """
        found = list(self._of_user(data)) if self._user_prefilter else []
        marks = self._prefilter.scan(data)
        if not marks and dialect not in _WITHOUT_KEY_WORD:
            return found
        group = group_of(dialect)
        wanted = {"bare"} if group == "none" else {"bare", "quoted"} if group == "code" else {"bare", "quoted", "unquoted"}
        for layer, name in dict.fromkeys(self._leads[lead] for lead, _ in marks):
            if layer in {"own", "text", "kingfisher"}:
                found.extend(self.layers().of_text(layer, name, data))
        places = sorted({end for lead, end in marks if self._leads[lead][0] in wanted})
        if places:
            found.extend(self.layers().of_lines(data, places, group))
        if dialect in _STRUCTURED:
            found.extend(self.layers().of_format(str(dialect), data))
        return found

    def _of_user(self, data: bytes) -> Iterator[Hit]:
        for number in dict.fromkeys(number for number, _ in self._user_prefilter.scan(data)) if self._user_prefilter else ():
            yield from self._user[number].find(data)


def _named(lead: str) -> tuple[str, str]:
    layer, _, name = lead.partition(":")
    return layer, name


_LOADED: dict[tuple[str, str], Scanner] = {}
"""Scanners of this process: the daemon's parent loads one, and every child that it forks finds it loaded."""


def scanner_for(settings: CheckSettings) -> Scanner:
    """The scanner of these rules, loaded once per process."""
    key = (settings.cache_dir, knowledge.user_identity(settings))
    if key not in _LOADED:
        _LOADED.clear()
        _LOADED[key] = Scanner(settings)
    return _LOADED[key]
