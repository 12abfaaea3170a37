"""What is said of a struct's members in the source, for the description of the API: the text below each, as everywhere in this code.

Does not do: run anything of the source; a class whose source is not there (a frozen program) simply says nothing.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
import typing
from functools import lru_cache
from typing import Any

from msgspec import Struct


@lru_cache(maxsize=1024)
def members_of(kind: Any) -> dict[str, str]:
    """Name -> text, of this class and those that it is made from."""
    plain = typing.get_origin(kind) or kind
    said: dict[str, str] = {}
    for each in reversed(plain.__mro__):
        if isinstance(each, type) and issubclass(each, Struct) and each is not Struct:
            said |= _of_class(each)
    return said


def _of_class(kind: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    said: dict[str, str] = {}
    for member, below in itertools.pairwise(body):
        if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
            text = _text(below)
            if text:
                said[member.target.id] = text
    return said


def _text(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split())
    return ""
