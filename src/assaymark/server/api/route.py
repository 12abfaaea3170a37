"""An operation of the API as data: what OpenAPI, the router, the authorisation matrix and the tests read alike."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct
from starlette.requests import Request

from assaymark.model.access import Permission, Principal
from assaymark.server.api.tag import matches, tag_of
from assaymark.server.problem import ApiError, forbidden
from assaymark.server.service import Service

Item = TypeVar("Item")
_CONVERTER = re.compile(r":[a-z]+\}")
_NAME = re.compile(r"\{([a-z_]+)\}")


class Page(Struct, Generic[Item], frozen=True):
    """A part of a list, in an order that an index keeps."""

    items: tuple[Item, ...]
    next: str | None = None
    """Give it as `after` for the following part; None at the end."""
    at_least: int | None = None
    """How many there are, counted up to a bound; None where it was not asked for."""


class Created(Struct, frozen=True):
    """The number of what was made."""

    id: int


class Nothing(Struct, frozen=True):
    """An empty answer."""


class Upload(Struct, frozen=True):
    """Raw bytes of the request, for operations that take documents of other formats."""

    data: bytes
    kind: str
    """Content type as given."""


class Call(Struct, frozen=True):
    """One request, known to come from somebody (or, for public operations, from anybody)."""

    service: Service
    request: Request
    principal: Principal | None
    body: bytes = b""
    """As it came."""

    @property
    def who(self) -> Principal:
        """The caller; operations that are not public always have one."""
        assert self.principal is not None  # noqa: S101 - the router let nobody else in
        return self.principal

    def need(self, permission: Permission, team: Any) -> None:
        """Raise unless this is allowed on something of that team."""
        if not self.who.may(permission, team):
            raise forbidden(permission)

    def expect(self, current: Any) -> None:
        """Raise 412 when the caller's ``If-Match`` names another state than this one, which is what the GET of the same path answers.

        The layer asks it before every change; a handler that asks again inside its transaction lets of two changes in one moment one pass.
        """
        wanted = self.request.headers.get("if-match")
        if wanted is not None and not matches(wanted, tag_of(current), strong=True):
            raise ApiError(
                412, "changed", "somebody changed it since it was read", advice="read it again, and send its new entity tag in If-Match"
            )


class Operation(Struct, frozen=True):
    """One method of one path."""

    method: str
    path: str
    """With ``{name}`` for parts that are parameters, without the prefix of the version."""
    run: Callable[..., Any]
    permission: Permission | None
    """None for operations that need no more than to be known, or nothing at all if `public`."""
    public: bool
    status: int
    tag: str
    parameters: tuple[tuple[str, Any, Any], ...]
    """(name, type, default or `inspect.Parameter.empty`)."""
    body: Any
    """Type of the request's document; None when it takes none."""
    result: Any
    most_bytes: int
    idempotent: bool
    """A POST that may be repeated with an ``Idempotency-Key``."""
    produces: str = "application/json"
    """Content type of the answer, where a handler makes the answer itself; several stand behind commas."""

    @property
    def id(self) -> str:
        return self.run.__name__

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.run) or "").partition("\n")[0]

    @property
    def description(self) -> str:
        """What its docstring says beyond the first line."""
        return (inspect.getdoc(self.run) or "").partition("\n")[2].strip()

    @property
    def template(self) -> str:
        """The path without converters of the router."""
        return _CONVERTER.sub("}", self.path)

    @property
    def in_path(self) -> frozenset[str]:
        """Names of parameters that are parts of the path."""
        return frozenset(_NAME.findall(self.template))


def _fields(group: type[Struct]) -> list[tuple[str, Any, Any]]:
    hints = typing.get_type_hints(group, include_extras=True)
    return [
        (each.name, hints[each.name], inspect.Parameter.empty if each.default is NODEFAULT else each.default)
        for each in msgspec.structs.fields(group)
    ]


def _gathering(run: Callable[..., Any], groups: dict[str, type[Struct]]) -> Callable[..., Any]:
    """The function, given the fields of its structs one by one."""

    @functools.wraps(run)
    def gathered(call: Call, **arguments: Any) -> Any:
        for name, group in groups.items():
            arguments[name] = group(**{field: arguments.pop(field) for field in group.__struct_fields__ if field in arguments})
        return run(call, **arguments)

    return gathered


class Router:
    """Collects operations; handlers stay plain functions that a test can call."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.operations: list[Operation] = []

    def add(  # noqa: PLR0913 - one argument per property of an operation
        self,
        method: str,
        path: str,
        permission: Permission | None,
        *,
        public: bool = False,
        status: int = 200,
        most_bytes: int = 1 << 20,
        produces: str = "application/json",
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator: the function's first argument is the `Call`; `body` is the document, the others come from path and query.

        A struct among these is read from the query field by field, for operations that are asked for the same thing.
        """

        def register(run: Callable[..., Any]) -> Callable[..., Any]:
            hints = typing.get_type_hints(run, include_extras=True)
            given = inspect.signature(run).parameters
            names = [name for name in list(given)[1:] if name != "body"]
            groups = {name: hints[name] for name in names if isinstance(hints[name], type) and issubclass(hints[name], Struct)}
            self.operations.append(
                Operation(
                    method=method,
                    path=path,
                    run=_gathering(run, groups) if groups else run,
                    permission=permission,
                    public=public,
                    status=status,
                    tag=self.tag,
                    parameters=tuple(
                        each
                        for name in names
                        for each in (_fields(groups[name]) if name in groups else [(name, hints[name], given[name].default)])
                    ),
                    body=hints.get("body"),
                    result=hints.get("return"),
                    most_bytes=most_bytes,
                    idempotent=method == "POST" and not public,
                    produces=produces,
                )
            )
            return run

        return register
