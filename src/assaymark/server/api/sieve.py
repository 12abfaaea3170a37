"""What a list of findings is narrowed by, as it stands in an address: for the API's list, facets and export, for pages and for saved views.

Guarantees: one meaning everywhere; what makes no sense is said with the name of the parameter. Does not know places in a list or orders.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.finding import Kind, Layer
from assaymark.model.severity import Severity
from assaymark.server.api.moment import moment_of
from assaymark.server.problem import invalid
from assaymark.store.ages import Age, came
from assaymark.store.findings import Filter, Standing

LONGEST = 2_000
"""Characters of a whole query."""
MOST_OF_ONE = 20


class Sieve(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything is joined by "and"; several values of one parameter by "or"."""

    kind: tuple[Kind, ...] = ()
    severity: tuple[Severity, ...] = ()
    layer: Layer | None = None
    rule: str = ""
    rule_class: str = ""
    team: int | None = None
    subject: int | None = None
    repository: int | None = None
    state: Standing = Standing.OPEN
    waived: bool | None = None
    age: Age | None = None
    late: bool | None = None
    owner: str = ""
    item: int | None = None
    text: str = ""
    as_of: str = ""

    def filter(self, now: Instant) -> Filter:
        """For the store.

        Raises:
            ApiError: 400 for an `as_of` that is no day and no instant, or lies ahead.
        """
        at = moment_of(self.as_of, now)
        begin, end = came(self.age, now if at is None else at) if self.age else (None, None)
        return Filter(
            kinds=self.kind,
            severities=self.severity,
            layer=self.layer,
            rule=self.rule,
            rule_class=self.rule_class,
            team=None if self.team is None else TeamId(self.team),
            subject=None if self.subject is None else SubjectId(self.subject),
            repository=None if self.repository is None else RepositoryId(self.repository),
            state=self.state,
            waived=self.waived,
            text=self.text,
            at=at,
            came_from=begin,
            came_until=end,
            late=self.late,
            late_at=now if at is None else at,
            item=self.item,
            owner=self.owner,
        )

    def query(self) -> str:
        """As it stands in an address, the same for the same meaning."""
        values = msgspec.to_builtins(self)
        pairs = [(name, each) for name, value in values.items() for each in (value if isinstance(value, list | tuple) else (value,))]
        return urlencode([(name, str(each).lower() if isinstance(each, bool) else str(each)) for name, each in pairs])


_SEVERAL = frozenset({"kind", "severity"})
_NUMBERS = frozenset({"team", "subject", "repository", "item"})
_CHOICES = {
    name: tuple(each.value for each in choice)
    for name, choice in {"kind": Kind, "severity": Severity, "layer": Layer, "state": Standing, "age": Age}.items()
}


def read(pairs: Iterable[tuple[str, str]]) -> Sieve:
    """Of names and values; empty values are as if they were not there.

    Raises:
        ApiError: 400 for what is unknown or makes no sense.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if not value:
            continue
        if name in _SEVERAL:
            found.setdefault(name, []).append(value)
        elif name in _NUMBERS and not (value.isascii() and value.isdecimal() and len(value) < 18):
            raise invalid(f"{name}={value[:40]!r} is no number")
        else:
            found[name] = value
    for name, allowed in _CHOICES.items():
        given = found.get(name, ())
        for value in [given] if isinstance(given, str) else given:
            if value not in allowed:
                raise invalid(f"{name}={value[:40]!r} is unknown", f"it is one of: {', '.join(allowed)}")
    try:
        made = msgspec.convert(found, Sieve, strict=False)
    except msgspec.ValidationError as error:
        raise invalid("the filter makes no sense", str(error)) from error
    if max(len(made.kind), len(made.severity)) > MOST_OF_ONE:
        raise invalid("a parameter is given too often")
    return made


def read_query(text: str) -> Sieve:
    """Of a query as in an address.

    Raises:
        ApiError: 400 for what is too long, unknown, or makes no sense.
    """
    if len(text) > LONGEST:
        raise invalid(f"the query is longer than {LONGEST} characters")
    try:
        return read(parse_qsl(text.removeprefix("?"), max_num_fields=60))
    except ValueError as error:
        raise invalid("the query has too many parts") from error
