"""How a program serves, reads and keeps: origins, addresses, limits of time and size, permissions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.patterns.go.looks import around, entries, field_set, function_text, of_type, set_later, speech_of
from assaymark.checks.application.patterns.rules import LEAST, LESS, SURE, Hit, Place, Rule, argument, called, looked, text_of
from assaymark.checks.application.patterns.shapes import Called, Gathered

_LIMITED = re.compile(r"LimitReader|LimitedReader|MaxBytesReader|CopyN\s*\(|limit|maxSize|MaxSize", re.IGNORECASE)
_PACKED = re.compile(
    r"compress/(?:gzip|zlib|bzip2|flate|lzw)\.NewReader(?:Dict)?\(\).*|archive/(?:zip|tar)\..*(?:Open|OpenReader|NewReader)\(\).*"
)


def _origins(place: Place) -> Iterator[Hit]:
    """All origins together with credentials."""
    for setting, value in field_set(place):
        speech = speech_of(place)
        kind = of_type(place)
        if not re.search(r"cors", kind, re.IGNORECASE):
            continue
        shape = place.flow.resolved(value)
        texts = [text_of(place, part) for part in shape.parts] if isinstance(shape, Gathered) else [text_of(place, value)]
        holder = around(setting, "composite_literal", "function_declaration", "method_declaration")
        near = speech.text.of(holder) if holder is not None else ""
        if any(text == "*" for text in texts) or (place.leaf.text in (b"AllowAllOrigins", b"AllowAllOriginsFunc") and texts == ["true"]):
            yield Hit(setting, SURE if re.search(r"AllowCredentials\s*[:=]\s*true", near) else LEAST)


def _reflected(place: Place, call: Called) -> bool | int | None:
    """``Access-Control-Allow-Origin`` that repeats what the request says, or ``*`` next to credentials."""
    if len(call.args) != 2 or (argument(place, 0) or "").lower() != "access-control-allow-origin":
        return None
    body = function_text(place, call.node)
    credentials = re.search(r"Access-Control-Allow-Credentials\"\s*,\s*\"true", body, re.IGNORECASE)
    value = place.flow.value(call.args[1])
    if value.foreign and not re.search(r"\bif\b[^\n]*(?:[oO]rigin|allow)", body):
        return SURE if credentials else LESS
    return LEAST if value.text == "*" and credentials else None


def _any_origin(place: Place) -> Iterator[Hit]:
    """``CheckOrigin: func(r) bool { return true }`` of a web socket."""
    for setting, value in field_set(place):
        body = value.named_children[-1] if value.type == "literal_element" and value.named_children else value
        if re.search(r"\{\s*return\s+true\s*;?\s*\}$", place.speech.text.of(body)):
            yield Hit(setting)


def _everywhere(place: Place, call: Called) -> bool | int | None:
    at = 1 if call.path.startswith(("net.", "crypto/tls.")) else 0
    text = argument(place, at)
    if text is None or (at and (argument(place, 0) or "").startswith("unix")):
        return None
    return SURE if re.fullmatch(r"(?:0\.0\.0\.0|\[::\])?:\w*", text) and (at or text.startswith(("0.", "["))) else None


def _profiling(place: Place) -> Iterator[Hit]:
    """The import that puts the profiler on the default mux, in a file that serves."""
    spec = around(place.leaf, "import_spec", levels=4)
    if spec is None:
        return
    path, name = spec.child_by_field_name("path"), spec.child_by_field_name("name")
    if path is None or place.speech.text.of(path).strip('"`') != "net/http/pprof":
        return
    content = place.speech.text.content
    if name is not None and place.speech.text.of(name) == "_":
        local = re.search(rb"ListenAndServe\(\s*\"(?:localhost|127\.0\.0\.1|\[::1\])", content)
        serves = re.search(rb"\bListenAndServe(?:TLS)?\(|http\.Serve\(", content)
        if not local:
            yield Hit(spec, SURE if serves else LESS)


def _root_served(place: Place, call: Called) -> bool | int | None:
    """``http.Dir("/")``."""
    del call
    return SURE if argument(place, 0) == "/" else None


def _no_timeouts(place: Place, call: Called) -> bool | int | None:
    if call.makes:
        rows = entries(place, call.node)
        named = [field for field in ("ReadHeaderTimeout", "ReadTimeout") if field in rows or set_later(place, call.node, field)]
        return None if named else SURE
    return SURE


def _bomb(place: Place, call: Called) -> bool | int | None:
    """Unpacked bytes are copied or read to their end."""
    at = 0 if call.name == "ReadAll" else 1
    if len(call.args) <= at:
        return None
    path = speech_of(place).path(call.args[at])
    return SURE if _PACKED.fullmatch(path) and not _LIMITED.search(function_text(place, call.node)) else None


def _mode(place: Place, call: Called) -> bool | int | None:
    """The mode in the last argument lets everybody write; what makes a file is held back by the mask, what changes one is not."""
    if not call.args:
        return None
    written = place.speech.text.of(call.args[-1])
    text = text_of(place, call.args[-1]) or written
    match = re.fullmatch(r"0[oO]?([0-7]{3,4})", text) or re.fullmatch(r"(?:os|fs)\.FileMode\(0[oO]?([0-7]{3,4})\)", written)
    open_to_all = written in ("os.ModePerm", "fs.ModePerm") or (match is not None and int(match[1][-1]) & 2 and match[1][:-3] != "1")
    if not open_to_all:
        return None
    return SURE if call.name == "Chmod" or b"Umask(0" in place.speech.text.content else LEAST


def _umask(place: Place, call: Called) -> bool | int | None:
    del call
    return SURE if re.fullmatch(r"0+", argument(place, 0) or "") else None


def _temporary(place: Place, call: Called) -> bool | int | None:
    """A file of a known name in the folder that all share."""
    value = place.flow.value(call.args[0]) if call.args else None
    if value is None or not re.match(r"/(?:var/)?tmp/[\w.-]+$", value.text or ""):
        return None
    if call.name == "OpenFile":
        flags = place.speech.text.of(call.args[1]) if len(call.args) > 1 else ""
        return SURE if "O_CREAT" in flags and "O_EXCL" not in flags else None
    return SURE


RULES: tuple[Rule, ...] = (
    looked(
        "cors-any",
        ("AllowOrigins", "AllowedOrigins", "AllowAllOrigins", "AllowOriginFunc"),
        _origins,
        message="Every site may ask and read the answer.",
        advice="Name the origins in a list, above all where credentials are allowed.",
    ),
    called(
        "cors-header",
        ("*.Set", "*.Header", "*.Add", "*.SetHeader"),
        _reflected,
        message="Every site may ask and read the answer.",
        advice="Compare the origin with a list, repeat it only then, and add `Vary: Origin`.",
    ),
    looked(
        "socket-any-origin",
        ("CheckOrigin",),
        _any_origin,
        message="Every site may open this web socket with the cookies of the user.",
        advice="Leave `CheckOrigin` out, which compares the host, or compare the origin with a list.",
    ),
    called(
        "all-interfaces",
        ("net.Listen", "net.ListenPacket", "crypto/tls.Listen", "net/http.ListenAndServe", "net/http.ListenAndServeTLS"),
        _everywhere,
        message="The service listens on every interface of the machine.",
        advice="Name the address it is for, `127.0.0.1:8080` behind a proxy, or take it from the configuration.",
    ),
    looked(
        "profiler-exposed",
        ("pprof",),
        _profiling,
        message="The profiler is put on the default mux, where clients may reach it.",
        advice="Register `pprof` on a mux of its own that listens on `localhost` only.",
    ),
    called(
        "root-served",
        ("net/http.Dir",),
        _root_served,
        message="The whole file system is served.",
        advice='Serve one folder: `http.Dir("/srv/public")`, or an `embed.FS`.',
    ),
    called(
        "no-timeouts",
        ("new net/http.Server", "net/http.ListenAndServe", "net/http.ListenAndServeTLS", "net/http.Serve", "net/http.ServeTLS"),
        _no_timeouts,
        message="The server waits without limit for the header of a request.",
        advice="Make an `http.Server` with `ReadHeaderTimeout` (and `ReadTimeout`, `WriteTimeout`, `IdleTimeout`).",
    ),
    called(
        "decompression-bomb",
        ("io.Copy", "io.CopyBuffer", "io.ReadAll", "io/ioutil.ReadAll"),
        _bomb,
        message="Packed bytes are unpacked without a limit of size.",
        advice="Wrap the reader with `io.LimitReader`, or use `io.CopyN`, and fail where the limit is reached.",
    ),
    called(
        "open-file",
        ("os.OpenFile", "os.WriteFile", "io/ioutil.WriteFile", "os.Chmod", "os.Mkdir", "os.MkdirAll", "*.Chmod", "syscall.Chmod"),
        _mode,
        message="A file or folder is made writable for everybody.",
        advice="Use `0o600` for files and `0o750` for folders.",
    ),
    called(
        "umask-zero",
        ("syscall.Umask", "*unix.Umask"),
        _umask,
        message="New files are writable for everybody who may reach them.",
        advice="Leave the mask as it is, or set it to `0o077`.",
    ),
    called(
        "temporary-file",
        ("os.Create", "os.WriteFile", "io/ioutil.WriteFile", "os.OpenFile"),
        _temporary,
        message="A file of a known name is made in the folder for temporary files.",
        advice='Use `os.CreateTemp("", "name-*")`.',
    ),
)
