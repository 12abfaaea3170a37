"""What is said to a driver that is a program, and what it answers: one JSON document each way, for each call a process of its own.

    in:   {"protocol": "assaymark/driver/1", "call": "probe", "pair": {…}, "instance": "…", "options": {…}}
    out:  {"answer": {"ok": true, "text": "…"}}       or    {"failed": {"what": "…", "why": "…", "advice": "…"}}

Guarantees: an answer has the form of its call or is refused; a name twice in an object and a second document behind the first are refused,
too, since a program that means something else than is read may not be believed. Members of other names are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.deployment.drivers.driver import Capabilities, Health, Instance, Launch, Observation, Pair, Share

PROTOCOL = "assaymark/driver/1"


class Call(Struct, frozen=True, tag_field="call", tag=str.lower, kw_only=True):
    """Of every call."""

    options: Mapping[str, str] = {}
    """Settings of the terms that the program is given."""
    protocol: str = PROTOCOL


class Capable(Call, frozen=True, tag="capabilities", kw_only=True):
    """Answer: `Capabilities`."""


class List(Call, frozen=True, kw_only=True):
    """Answer: instances of the pair, of every generation, running or not."""

    pair: Pair


class LaunchCall(Call, frozen=True, tag="launch", kw_only=True):
    """Answer: all instances of the generation. Secrets are in it: it is read from standard input and written nowhere."""

    asked: Launch


class Probe(Call, frozen=True, kw_only=True):
    """Answer: `Health`."""

    pair: Pair
    instance: str


class Shift(Call, frozen=True, kw_only=True):
    """Answer: null."""

    pair: Pair
    shares: tuple[Share, ...]


class Serving(Call, frozen=True, kw_only=True):
    """Answer: shares, as the edge itself says."""

    pair: Pair


class Drain(Call, frozen=True, kw_only=True):
    """Answer: whether what had begun ended within the seconds."""

    pair: Pair
    instance: str
    seconds: float


class Burn(Call, frozen=True, kw_only=True):
    """Answer: null."""

    pair: Pair
    instance: str


class Observe(Call, frozen=True, kw_only=True):
    """Answer: `Observation`."""

    pair: Pair
    instance: str


AnyCall = Capable | List | LaunchCall | Probe | Shift | Serving | Drain | Burn | Observe
ANSWERS: Mapping[type[Call], Any] = {
    Capable: Capabilities, List: tuple[Instance, ...], LaunchCall: tuple[Instance, ...], Probe: Health, Shift: None,
    Serving: tuple[Share, ...], Drain: bool, Burn: None, Observe: Observation,
}  # fmt: skip
"""What each call is answered by."""


class Failed(Struct, frozen=True, forbid_unknown_fields=True):
    """The program could not do it."""

    what: str
    why: str = ""
    advice: str = ""


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12): ``call`` of what comes in, ``answers`` of what goes out by the name of the call."""
    names = {kind: msgspec.inspect.type_info(kind) for kind in ANSWERS}
    kinds = [AnyCall, Failed, *(each for each in ANSWERS.values() if each is not None)]
    found, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    shapes = dict(zip(map(str, kinds), found, strict=True))
    answers = {}
    for kind, answer in ANSWERS.items():
        tag = names[kind].tag  # type: ignore[attr-defined]
        inner = {"type": "null"} if answer is None else shapes[str(answer)]
        good = {"type": "object", "properties": {"answer": inner}, "required": ["answer"], "additionalProperties": False}
        bad = {"type": "object", "properties": {"failed": shapes[str(Failed)]}, "required": ["failed"], "additionalProperties": False}
        answers[str(tag)] = {"anyOf": [good, bad]}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:{PROTOCOL.replace('/', ':')}",
        "title": "What a driver that is a program is asked, and answers",
        "$defs": {**components, "call": shapes[str(AnyCall)], "answers": {"title": "By the name of the call", "$defs": answers}},
        "$ref": "#/$defs/call",
    }  # fmt: skip
    return msgspec.json.decode(msgspec.json.encode(whole), type=dict[str, Any])
