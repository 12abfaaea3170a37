"""What a request says, as the arguments of the function that answers it.

Guarantees: a parameter that the operation does not know, or that is given twice, is refused by name; whole numbers fit in 64 bits and text
holds neither NUL nor lone surrogates, in parameters and in documents, because no database takes them; a document nested without end, in
another encoding or of another content type is refused. Nothing here reads more of a body than it was given.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
import typing
from typing import Annotated, Any

import msgspec
from msgspec import Struct
from starlette.requests import Request

from assaymark.server.api.route import Operation, Upload
from assaymark.server.problem import ApiError, invalid

LEAST, MOST = -(1 << 63), (1 << 63) - 1
LIMIT = "limit"
MOST_ITEMS = 200
"""Of a page."""
MOST_TEXT = 4096
"""Characters of a parameter."""
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_MANY = (tuple, list, frozenset, set)


class Parameter(Struct, frozen=True):
    """A part of the path or the query."""

    name: str
    kind: Any
    """Without None: what is not given has the default."""
    plain: Any
    """The type beneath annotations and new types; of one value, where there may be many."""
    default: Any
    is_path: bool
    is_many: bool

    @property
    def is_required(self) -> bool:
        return self.default is inspect.Parameter.empty


def parameters_of(operation: Operation) -> tuple[Parameter, ...]:
    """What the operation reads beside its document."""
    return tuple(_parameter(operation, *each) for each in operation.parameters)


def _parameter(operation: Operation, name: str, hint: Any, default: Any) -> Parameter:
    kind = without_none(hint)
    plain = plain_of(kind)
    is_many = typing.get_origin(plain) in _MANY
    one = plain_of(without_none(typing.get_args(plain)[0])) if is_many else plain
    return Parameter(name=name, kind=kind, plain=one, default=default, is_path=name in operation.in_path, is_many=is_many)


def without_none(hint: Any) -> Any:
    """The type of what is given."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        inner, *notes = typing.get_args(hint)
        return functools.reduce(lambda kind, note: Annotated[kind, note], notes, without_none(inner))
    if origin not in (typing.Union, types.UnionType):
        return hint
    left = [each for each in typing.get_args(hint) if each is not types.NoneType]
    return left[0] if len(left) == 1 else typing.Union[tuple(left)]  # noqa: UP007 - built from a list


def plain_of(hint: Any) -> Any:
    """The type beneath annotations and new types."""
    while True:
        if typing.get_origin(hint) is Annotated:
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        else:
            return hint


def read_parameters(parameters: tuple[Parameter, ...], request: Request) -> dict[str, Any]:
    """Values by name.

    Raises:
        ApiError: 400, naming the parameter.
    """
    found: dict[str, Any] = {}
    _no_strangers(parameters, request)
    for parameter in parameters:
        name = parameter.name
        texts = [str(request.path_params[name])] if parameter.is_path else request.query_params.getlist(name)
        if texts:
            found[parameter.name] = _value(parameter, texts)
        elif parameter.is_required:
            raise invalid(f"the parameter `{parameter.name}` is missing")
    return found


def _no_strangers(parameters: tuple[Parameter, ...], request: Request) -> None:
    known = [each.name for each in parameters if not each.is_path]
    for name in request.query_params:
        if name not in known:
            told = f"it knows {', '.join(known)}" if known else "it has none"
            raise invalid(f"the parameter {name[:80]!r} is not one of this operation", told)


def _value(parameter: Parameter, texts: list[str]) -> Any:
    name = parameter.name
    if len(texts) > 1 and not parameter.is_many:
        raise invalid(f"the parameter `{name}` is given {len(texts)} times", "give it once")
    for text in texts:
        if len(text) > MOST_TEXT:
            raise invalid(f"the parameter `{name}` is longer than {MOST_TEXT} characters")
        if not is_text(text):
            raise invalid(f"the parameter `{name}` holds characters that are no text")
    try:
        value = msgspec.convert(texts if parameter.is_many else texts[0], parameter.kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(f"the parameter `{name}`: {error}") from error
    _check_numbers(name, value)
    return value


def _check_numbers(name: str, value: Any) -> None:
    for each in value if isinstance(value, _MANY) else (value,):
        if isinstance(each, int) and not LEAST <= each <= MOST:
            raise invalid(f"the parameter `{name}` is beyond 64 bits")
    if name == LIMIT and isinstance(value, int) and not 1 <= value <= MOST_ITEMS:
        raise invalid(f"the parameter `{name}` is not between 1 and {MOST_ITEMS}")


def is_text(text: str) -> bool:
    """Whether a database takes it."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


class Document:
    """Reads the request's document for one operation."""

    def __init__(self, operation: Operation) -> None:
        self._kind = operation.body
        self._is_raw = operation.body is Upload
        self._may_lack = without_none(operation.body) != operation.body
        self._decoder = None if operation.body in (None, Upload) else msgspec.json.Decoder(operation.body)

    def read(self, request: Request, data: bytes) -> dict[str, Any]:
        """``body``, or nothing for operations that take none.

        Raises:
            ApiError: 400 or 415.
        """
        kind = request.headers.get("content-type", "")
        if self._is_raw:
            return {"body": Upload(data, kind)}
        if self._decoder is None:
            if data.strip() not in (b"", b"{}"):
                raise invalid("this operation takes no document", "leave the body out")
            return {}
        if not data and self._may_lack:
            return {"body": None}
        _check_kind(kind)
        return {"body": decode(self._decoder, data)}


def _check_kind(kind: str) -> None:
    name, _, parameters = kind.partition(";")
    name = name.strip().lower()
    if name == "application/json" or (name.startswith("application/") and name.endswith("+json")):
        charset = re.search(r"charset\s*=\s*\"?([\w-]+)", parameters, re.IGNORECASE)
        if charset is None or charset[1].lower() in {"utf-8", "utf8", "us-ascii"}:
            return
    raise ApiError(
        415, "unsupported-media-type", "this kind of document is not read",
        detail=f"its content type is {kind[:80]!r}" if kind else "it has no content type",
        advice="send JSON in UTF-8 with `Content-Type: application/json`", headers={"Accept": "application/json"},
    )  # fmt: skip


def decode(decoder: msgspec.json.Decoder[Any], data: bytes) -> Any:
    """The document.

    Raises:
        ApiError: 400, saying what is wrong where.
    """
    try:
        value = decoder.decode(data)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from error
    except msgspec.DecodeError as error:
        raise invalid(f"the document is no JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise invalid("the document is not in UTF-8", f"byte {error.start} begins no character") from error
    except RecursionError as error:
        raise invalid("the document is nested too deeply") from error
    if _NUL.search(data):
        raise invalid("the document holds the character U+0000, which no text has")
    if _LONG_NUMBER.search(data):
        _check_depth_of_numbers(msgspec.to_builtins(value))
    return value


def _check_depth_of_numbers(value: Any) -> None:
    if isinstance(value, dict):
        for each in value.values():
            _check_depth_of_numbers(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _check_depth_of_numbers(each)
    elif isinstance(value, int) and not LEAST <= value <= MOST:
        raise invalid("the document holds a whole number beyond 64 bits")
