"""Rules of nginx: headers that browsers protect people by, and who may read answers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.platform.webserver.directives import Directive
from assaymark.checks.platform.webserver.nginx_model import Nginx, Scope, only_redirects, resource, speaks_tls
from assaymark.checks.platform.webserver.report import Found, at
from assaymark.checks.platform.webserver.tls_words import frames_guarded, hsts_too_short

HSTS = "strict-transport-security"
_SECURE = frozenset(
    {
        HSTS,
        "x-frame-options",
        "x-content-type-options",
        "content-security-policy",
        "referrer-policy",
        "permissions-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "cross-origin-embedder-policy",
    }
)
_MORE = "more_set_headers"
_LONGEST_REGEX = 400


def _name(entry: Directive) -> str:
    return entry.args[0].casefold() if entry.args else ""


def _headers(scope: Scope) -> dict[str, str]:
    """Headers that hold in a block, names in lower case; `more_set_headers` of a foreign module adds to them from everywhere above."""
    made = {_name(entry): " ".join(entry.args[1:]) for entry in scope.effective("add_header")}
    above: Scope | None = scope
    while above is not None:
        for entry in above.own(_MORE):
            made.update({part.partition(":")[0].strip().casefold(): part.partition(":")[2] for part in entry.args})
        above = above.parent
    return made


def _somewhere(server: Scope) -> dict[str, str]:
    """Every header that any block of a server sets: what is set for some answers only is not called missing."""
    made = _headers(server)
    for scope in server.below():
        made.update({_name(entry): " ".join(entry.args[1:]) for entry in scope.own("add_header")})
        made.update({part.partition(":")[0].strip().casefold(): part for entry in scope.own(_MORE) for part in entry.args})
    return made


def _serving(config: Nginx) -> Iterator[Scope]:
    """Servers of which it is known that they answer with content over TLS."""
    for server in config.blocks("server"):
        told = server.sure() and all(scope.whole for scope in server.below())
        answers = speaks_tls(server) and not only_redirects(server) and not _rejects(server)
        if server.opened and told and answers and server.up("stream") is None and server.up("mail") is None:
            yield server


def _rejects(server: Scope) -> bool:
    return server.last("ssl_reject_handshake") == "on" or any(each.value == "all" for each in server.own("deny"))


def _passes_on(server: Scope) -> bool:
    """Whether answers come from an application, which may set headers of its own."""
    passes = {"proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass"}
    return any(entry.name in passes for scope in server.below() for entry in scope.entries)


def hsts_missing(config: Nginx) -> Iterator[Found]:
    """A TLS server that does not tell browsers to stay with TLS."""
    for server in _serving(config):
        if HSTS not in _somewhere(server):
            message = "Without Strict-Transport-Security the first step of each visit can be led to plain http"
            yield at(_opened(server), "hsts-missing", server.address, "add_header Strict-Transport-Security", message)


def _opened(server: Scope) -> Directive:
    assert server.opened is not None  # noqa: S101  `_serving` gives no other
    return server.opened


def hsts_short(config: Nginx) -> Iterator[Found]:
    """HSTS that is over before it helps."""
    for scope, entry in config.every("add_header"):
        if _name(entry) == HSTS and hsts_too_short(entry.value):
            message = "Strict-Transport-Security ends after less than half a year"
            yield at(entry, "hsts-short", resource(scope, entry), "add_header Strict-Transport-Security", message)


def sniffing_allowed(config: Nginx) -> Iterator[Found]:
    """Answers without nosniff, from files that nginx serves itself."""
    for server in _serving(config):
        if "x-content-type-options" not in _somewhere(server) and not _passes_on(server):
            message = "Browsers may take uploaded text for script without X-Content-Type-Options: nosniff"
            yield at(_opened(server), "sniffing-allowed", server.address, "add_header X-Content-Type-Options", message)


def framing_allowed(config: Nginx) -> Iterator[Found]:
    """Pages that any site may show inside a frame."""
    for server in _serving(config):
        if not frames_guarded(_somewhere(server)) and not _passes_on(server):
            message = "Any site can show these pages in a frame and lead clicks onto them"
            yield at(_opened(server), "framing-allowed", server.address, "add_header frame-ancestors", message)


def content_policy_missing(config: Nginx) -> Iterator[Found]:
    """Pages without a content security policy."""
    for server in _serving(config):
        headers = _somewhere(server)
        if not {"content-security-policy", "content-security-policy-report-only"} & headers.keys() and not _passes_on(server):
            message = "Without Content-Security-Policy one hole in a page is enough to run foreign script"
            yield at(_opened(server), "content-policy-missing", server.address, "add_header Content-Security-Policy", message)


def headers_lost(config: Nginx) -> Iterator[Found]:
    """A block with a header of its own inherits none, so protections that were set above are gone in it."""
    protected: dict[int, frozenset[str]] = {}
    for scope in config.blocks():
        own, above = scope.own("add_header"), scope.parent.effective("add_header") if scope.parent else []
        if not own or not above:
            continue
        if id(above) not in protected:
            protected[id(above)] = frozenset(_name(entry) for entry in above) & _SECURE
        missing = protected[id(above)] - {_name(entry) for entry in own}
        lost = sorted(missing - _headers(scope).keys()) if missing else []
        if lost:
            message = (
                f"This add_header ends the inheritance of those above: {', '.join(lost)} {'is' if len(lost) == 1 else 'are'} not sent here"
            )
            yield at(own[0], "headers-lost", resource(scope, own[0]), "add_header", message)


def foreign_origin_trusted(config: Nginx) -> Iterator[Found]:
    """Any site may read answers with the visitor's cookies."""
    for scope in config.blocks():
        own = {_name(entry): entry for entry in scope.own("add_header")}
        origin, credentials = own.get("access-control-allow-origin"), own.get("access-control-allow-credentials")
        if origin is None or credentials is None or "true" not in credentials.args[1:]:
            continue
        guarded = scope.kind == "if" and "$http_origin" in " ".join(scope.args)
        if any(value in origin.args[1:2] for value in ("$http_origin", "${http_origin}")) and not guarded:
            message = "Every origin that asks is answered as trusted, with the visitor's cookies"
            yield at(origin, "foreign-origin-trusted", resource(scope, origin), "add_header Access-Control-Allow-Origin", message)


_CONDITION = re.compile(r"\$http_(?P<header>origin|referer)\s+!?~\*?\s+[\"']?(?P<regex>.*)", re.DOTALL)


def origin_check_loose(config: Nginx) -> Iterator[Found]:
    """A check of the origin that other names pass as well."""
    for scope in config.blocks("if"):
        found = _CONDITION.match(condition(scope))
        if found is None or scope.opened is None:
            continue
        why = _loose(found["regex"].rstrip("\"' "), anchored_end=found["header"] == "referer")
        if why:
            message = f"Other sites pass this check of {found['header']}: {why}"
            yield at(scope.opened, "origin-check-loose", scope.address, found["header"], message)


def condition(scope: Scope) -> str:
    """The condition of an ``if`` without its brackets."""
    text = " ".join(scope.args).strip()
    return text[1:-1].strip() if text.startswith("(") and text.endswith(")") else text.strip("()").strip()


def _loose(regex: str, *, anchored_end: bool) -> str:
    """Why other names pass a regular expression, empty when they do not or it names nobody."""
    plain = regex.replace("\\/", "/")[:_LONGEST_REGEX]
    if not re.search(r"[a-zA-Z]{2}", plain) or plain in {".", ".*", ".+"}:
        return ""
    bare_dot = re.search(r"(?<![\\\]\)])\.(?=[a-z]{2,}\b)(?![*+?])", plain) and not re.search(r"\[[^\]]*\.[^\]]*\]\Z", plain)
    outside = re.sub(r"\([^()]*\)|\[[^\]]*\]", "", re.sub(r"\([^()]*\)", "", plain))
    faults = {
        "it is not tied to the beginning": not plain.startswith(("^", "(^", "(?:^")),
        "a dot without a backslash stands for any character": bare_dot,
        "its beginning may stand in a path behind another host's name": re.search(r"\.[*+].*[a-z]{2,}\\\.", plain),
        "it is not tied to the end of the host's name": not re.search(r"(?:/|\$|\$\)|/\)|:\d+|\.\*|\)\?)\Z", plain),
        "only one of its alternatives is tied to the beginning": anchored_end and "|" in outside,
    }
    return next((why for why, holds in faults.items() if holds), "")


def no_referer_passes(config: Nginx) -> Iterator[Found]:
    """A check of the referer that a request without one passes."""
    for scope, entry in config.every("valid_referers"):
        if "none" in entry.args:
            message = "A page can leave the Referer out, so `none` lets every site pass"
            yield at(entry, "no-referer-passes", resource(scope, entry), "valid_referers none", message)
