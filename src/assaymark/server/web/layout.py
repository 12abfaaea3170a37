"""Templates and the files that pages load, each under a name that holds its digest, so that browsers keep it for ever."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from assaymark.model.severity import Severity
from assaymark.views.prose import prose

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_SHARED = {"report.css": "assaymark.views", "report.js": "assaymark.views"}
"""Files that the reports for people bring along."""


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("assaymark.server.web"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(asset=asset, severities=[each.value for each in reversed(Severity)])
    made.filters.update(moment=moment, day=day, took=took, severity=severity, prose=written)
    return made


def render(template: str, **values: Any) -> str:
    """A page; every value is escaped unless it is `Markup`."""
    return _environment().get_template(template).render(**values)


@cache
def _content(name: str) -> bytes:
    if name in _SHARED:
        return (files(_SHARED[name]) / "assets" / name).read_bytes()
    return (files("assaymark.server.web") / "static" / name).read_bytes()


@cache
def _names() -> dict[str, str]:
    """Name under which a browser asks for a file -> its name here."""
    own = [path.name for path in (files("assaymark.server.web") / "static").iterdir() if path.name.endswith(tuple(_KINDS))]
    return {_address(name): name for name in [*own, *_SHARED]}


def _address(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(_content(name)).hexdigest()[:16]}{dot}{ending}"


def asset(name: str) -> Markup:
    """The element that loads a file, with its integrity."""
    integrity = "sha384-" + base64.b64encode(hashlib.sha384(_content(name)).digest()).decode()
    address = f"/static/{_address(name)}"
    if name.endswith(".css"):
        return Markup('<link rel="stylesheet" href="{}" integrity="{}">').format(address, integrity)
    return Markup('<script src="{}" integrity="{}" defer></script>').format(address, integrity)


async def static(request: Request) -> Response:
    """A file by its exact name; nothing else is ever looked up."""
    name = _names().get(request.path_params["name"])
    if name is None:
        return Response(status_code=404)
    kind = _KINDS["." + name.rpartition(".")[2]]
    return Response(_content(name), headers={"Cache-Control": "public, max-age=31536000, immutable"}, media_type=kind)


def written(text: str) -> Markup:
    """What people wrote, with its little Markdown: every piece is escaped by `views.prose`."""
    return Markup(prose(text))  # noqa: S704 - it gives nothing that it did not escape


def moment(instant: int | None) -> Markup:
    """An instant as people read it, with the machine's form beside it."""
    if instant is None:
        return Markup("")
    time = dt.datetime.fromtimestamp(instant / 1e6, dt.UTC)
    return Markup('<time datetime="{}">{}</time>').format(time.isoformat(timespec="seconds"), time.strftime("%Y-%m-%d %H:%M"))


def day(instant: int | None) -> str:
    """The day alone."""
    return "" if instant is None else dt.datetime.fromtimestamp(instant / 1e6, dt.UTC).strftime("%Y-%m-%d")


def took(microseconds: int | None) -> str:
    """How long something took."""
    if microseconds is None:
        return ""
    seconds = microseconds / 1e6
    if seconds < 60:
        return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def severity(rank: int) -> str:
    """Word of a rank."""
    return list(Severity)[rank].value
