"""Files and addresses: paths, requests, redirects, cookies, origins."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.patterns.javascript.looks import around, entries, in_call, pair_at
from assaymark.checks.application.patterns.javascript.names import BROWSER
from assaymark.checks.application.patterns.rules import (
    FOREIGN,
    LEAST,
    LESS,
    SURE,
    Hit,
    Place,
    Rule,
    argument,
    called,
    into,
    judged,
    looked,
    option,
    text_of,
)
from assaymark.checks.application.patterns.shapes import Called, Gathered
from assaymark.checks.application.patterns.values import Value

_FIXED = re.compile(r"https?://[^/?#\s]+[/?#]|/(?![/\\])|\.{1,2}/|[?#]|mailto:", re.IGNORECASE)
_HOST = re.compile(r"\w+://[^/?#\s]+[/?#]|/(?![/\\])", re.IGNORECASE)
_SESSION = re.compile(r"sess|sid\b|token|auth|jwt|remember|login", re.IGNORECASE)
_ESCAPED_UP = re.compile(r"\.\.|startsWith|basename|isAbsolute|relative\(|sanitize", re.IGNORECASE)
_ENTRY = re.compile(r"\b(?:entry|header|file|zipEntry|item|e)\.(?:path|fileName|filename|entryName|name)\b")
_STAY = (
    "Resolve the path and check that it still begins with the folder (`path.resolve(root, name).startsWith(root + path.sep)`), "
    "or look names up in a list."
)
_HTTP_CLIENTS = ("get", "post", "put", "patch", "delete", "head", "request")
_CLIENTS = (
    "axios", "got", "request", "superagent", "needle", "http", "https", "undici", "request-promise", "request-promise-native", "ky",
)  # fmt: skip
_CALLABLE_CLIENTS = (
    "fetch", "axios", "node-fetch", "got", "request", "undici.fetch", "needle", "request-promise", "cross-fetch", "isomorphic-fetch", "ky",
    "superagent", "*.httpService.get",
)  # fmt: skip
_MODULES = ("fs", "fs.promises", "fs/promises", "fs-extra", "graceful-fs")
_FILES = (
    "readFile", "readFileSync", "createReadStream", "writeFile", "writeFileSync", "createWriteStream", "appendFile", "appendFileSync",
    "unlink", "unlinkSync", "rm", "rmSync", "rmdir", "rmdirSync", "readdir", "readdirSync", "open", "openSync", "stat", "statSync",
    "access", "accessSync", "existsSync", "exists", "mkdir", "mkdirSync", "readJson", "outputFile", "remove", "copyFile", "copyFileSync",
    "rename", "renameSync", "cp", "chmod", "readlink", "truncate",
)  # fmt: skip


def _served_below_root(place: Place, value: Value) -> bool:
    del value
    call = place.call
    return bool(call and call.name in ("sendFile", "sendfile", "download") and any(option(place, call, at, "root") for at in (1, 2)))


def _fixed_host(place: Place, value: Value) -> bool:
    del place
    return bool(_HOST.match(value.prefix)) or bool(BROWSER.match(value.foreign))


def _fixed_target(place: Place, value: Value) -> bool:
    del place
    from_header = value.foreign.endswith((".get", ".headers", ".header"))  # which no link can set
    return (
        from_header or bool(_FIXED.match(value.prefix)) or value.foreign in ("req.url", "req.originalUrl", "request.originalUrl", "ctx.url")
    )


def _navigates(place: Place) -> Iterator[Hit]:
    """``location = value`` and ``location.href = value``."""
    assignment = around(place.leaf, "assignment_expression", "expression_statement", levels=4)
    if assignment is None or assignment.type != "assignment_expression":
        return
    left, right = assignment.child_by_field_name("left"), assignment.child_by_field_name("right")
    written = place.speech.text.of(left) if left is not None else ""
    if right is None or not re.fullmatch(r"(?:(?:window|document|self|top|parent)\.)*location(?:\.href)?", written):
        return
    value = place.flow.value(right)
    judgement = judged(value, "url", FOREIGN)
    if judgement and not _FIXED.match(value.prefix) and not value.foreign.endswith(("location.href", "location.pathname")):
        yield Hit(assignment, judgement[0] + LESS, judgement[1])


def _location_header(place: Place, call: Called) -> bool | int | None:
    if (argument(place, 0) or "").lower() != "location" or len(call.args) < 2:
        return None
    value = place.flow.value(call.args[1])
    judgement = judged(value, "url", FOREIGN)
    return None if judgement is None or _fixed_target(place, value) else judgement[0]


def _entry_path(place: Place, call: Called) -> bool | int | None:
    """A file of an archive is written under the name that the archive gives."""
    if not call.args:
        return None
    written = place.speech.text.of(call.args[0])
    functions = place.speech.functions_around(call.node.start_byte)
    body = place.speech.text.content[functions[0].start if functions else 0 : call.node.start_byte].decode("utf-8", "replace")
    names = re.findall(r"[A-Za-z_$][\w$]*", written)
    joined = _ENTRY.search(written) or any(re.search(rf"\b{re.escape(n)}\s*=\s*[^;\n]{{0,80}}{_ENTRY.pattern}", body) for n in names[:6])
    archives = re.search(rb"unzip|yauzl|adm-zip|jszip|\btar\b|archive|decompress", place.speech.text.content)
    return LESS if joined and archives and not _ESCAPED_UP.search(body[-1_500:]) else None


def _cookie(place: Place) -> Iterator[Hit]:
    call = place.call
    if call is None or not re.match(r"(?:res|response|reply|ctx\.cookies|cookies)\b", call.path) or len(call.args) < 2:
        return
    wanted = _SESSION.search(argument(place, 0) or "")
    shape = place.flow.resolved(call.args[2]) if len(call.args) > 2 else None
    if shape is not None and not isinstance(shape, Gathered):
        return
    keys = dict(zip(shape.keys, shape.parts, strict=False)) if shape else {}
    if "" in keys:
        return
    missing = [name for name in ("httpOnly", "secure") if text_of(place, keys.get(name)) == "false" or name not in keys]
    if missing:
        yield Hit(call.node, SURE if wanted else LESS, message=f"The cookie is set without {' and '.join(missing)}.")


def _cookie_setting(place: Place) -> Iterator[Hit]:
    found = pair_at(place)
    if found is None or text_of(place, found[1]) != "false":
        return
    pair, _ = found
    inside = around(pair, "object")
    outer = inside.parent if inside is not None else None
    key = outer.child_by_field_name("key") if outer is not None and outer.type == "pair" else None
    if key is not None and "cookie" in place.speech.text.of(key).lower():
        yield Hit(pair, message=f"The cookie of the session is set with {place.speech.text.of(pair)}.")


def _cors(place: Place) -> Iterator[Hit]:
    found = pair_at(place)
    if found is None or text_of(place, found[1]) != "true" or not in_call(place, found[0], "cors", "enableCors", "register"):
        return
    pair, _ = found
    inside = around(pair, "object")
    origin = entries(place, inside).get("origin") if inside is not None else None
    if origin is not None and (text_of(place, origin) in ("true", "*") or place.flow.value(origin).harms("origin")):
        yield Hit(pair)


def _reflected_origin(place: Place, call: Called) -> bool | int | None:
    if (argument(place, 0) or "").lower() != "access-control-allow-origin" or len(call.args) < 2:
        return None
    value = place.flow.value(call.args[1])
    if value.harms("origin"):
        return LESS if "allow-credentials" in place.speech.text.content.decode("utf-8", "replace").lower() else LEAST
    return None


RULES: tuple[Rule, ...] = (
    into(
        "file-path",
        "path",
        {f"{module}.{name}": (0,) for module in _MODULES for name in _FILES}
        | {"*.sendFile": (0,), "*.sendfile": (0,), "*.download": (0,), "send": (1,), "koa-send": (1,)},
        worth=FOREIGN,
        unless=_served_below_root,
        message="The path of a file is made of a value of the request.",
        advice=_STAY,
    ),
    called(
        "archive-entry",
        ("fs.createWriteStream", "fs.writeFile", "fs.writeFileSync", "fs-extra.outputFile", "fs.promises.writeFile"),
        _entry_path,
        message="A file is written under the name that an archive gives it.",
        advice=_STAY,
    ),
    into(
        "server-request",
        "url",
        {f"{client}.{name}": (0, "0.url", "0.uri", "0.baseURL", "0.host", "0.hostname") for client in _CLIENTS for name in _HTTP_CLIENTS}
        | dict.fromkeys(_CALLABLE_CLIENTS, (0, "0.url", "0.uri"))
        | {"*.page.goto": (0,), "page.goto": (0,)},
        worth=FOREIGN,
        unless=_fixed_host,
        message="A request goes to an address that a value of the request chooses.",
        advice="Take the address from a list in the program, or compare scheme and host with one; refuse private networks after resolving.",
    ),
    into(
        "redirect",
        "url",
        {
            "*.redirect": (0, 1),
            "*.location": (0,),
            "location.assign": (0,),
            "location.replace": (0,),
            "window.location.assign": (0,),
            "window.location.replace": (0,),
            "window.open": (0,),
        },
        worth=FOREIGN,
        unless=_fixed_target,
        message="A redirect goes where a value of the request says.",
        advice="Redirect to paths of this site only (a leading `/` and no second one), or look the target up in a list.",
    ),
    looked(
        "navigation",
        ("location",),
        _navigates,
        message="The page goes where a value of its address says, which may be `javascript:`.",
        advice="Parse it with `new URL(value, location.origin)` and compare origin and scheme.",
    ),
    called(
        "redirect-header",
        ("*.setHeader", "*.header", "*.set", "*.writeHead"),
        _location_header,
        message="A redirect goes where a value of the request says.",
        advice="Redirect to paths of this site only, or look the target up in a list.",
    ),
    looked(
        "cookie-flags",
        ("cookie", "setCookie", "set"),
        _cookie,
        message="A cookie is set without its protections.",
        advice="Set `httpOnly: true, secure: true, sameSite: 'lax'`.",
    ),
    looked(
        "session-cookie",
        ("httpOnly", "secure", "httponly"),
        _cookie_setting,
        message="The cookie of the session is set without its protections.",
        advice="Set `httpOnly: true, secure: true, sameSite: 'lax'`; behind a proxy also `trust proxy`.",
    ),
    looked(
        "cors-credentials",
        ("credentials",),
        _cors,
        message="Every site may ask with the user's credentials and read the answer.",
        advice="Name the origins in a list, or leave credentials out.",
    ),
    called(
        "cors-reflected",
        ("*.setHeader", "*.header", "*.set"),
        _reflected_origin,
        message="Whatever origin asks may read the answer.",
        advice="Compare the origin with a list and answer only for those in it.",
    ),
)
