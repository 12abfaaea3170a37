"""Rules of nginx: text of the request that decides more than it should.

Follows variables through `set` and the groups of a location's or rewrite's regular expression; those of `map` count as constant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.platform.webserver.directives import Directive
from assaymark.checks.platform.webserver.nginx_model import Nginx, Scope, resource
from assaymark.checks.platform.webserver.regex_groups import Group, groups
from assaymark.checks.platform.webserver.report import Found, at

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DECODED = frozenset({"uri", "document_uri"})
_FREE = re.compile(r"(?:arg|http|cookie|sent_http|upstream_http)_\w+\Z|(?:args|query_string|is_args|request_body)\Z")
_HOSTLIKE = frozenset({"http_host", "host"})
_DEPTH = 8
_MOST_PIECES = 200
_MOST_REGEXES = 100
"""Of one block: so many are followed, and a block with more is a list of redirects."""


def _captures(scope: Scope) -> dict[str, Group]:
    """Groups that hold in a block: of the regular expressions of it and those around it, the innermost first."""
    found: dict[str, Group] = {}
    above: Scope | None = scope
    while above is not None:
        for regex in _regexes(above):
            for name, group in groups(regex).items():
                found.setdefault(name, group)
        above = above.parent
    return found


def _regexes(scope: Scope) -> Iterator[str]:
    if scope.kind == "location" and scope.args[:1] in {("~",), ("~*",)} and len(scope.args) > 1:
        yield scope.args[1]
    if scope.kind == "location" and scope.args and scope.args[0].startswith("~") and len(scope.args) == 1:
        yield scope.args[0].lstrip("~*")
    if scope.kind == "if":
        found = re.search(r"!?~\*?\s+[\"']?(.*)", " ".join(scope.args), re.DOTALL)
        if found:
            yield found[1].rstrip(") \"'") + ")" * max(0, found[1].count("(") - found[1].rstrip(") \"'").count(")"))
    for each in scope.own("rewrite")[-_MOST_REGEXES:]:
        if each.args:
            yield each.args[0]
    if scope.kind == "server":
        for each in scope.own("server_name"):
            yield from (name[1:] for name in each.args if name.startswith("~"))


def _sets(scope: Scope) -> dict[str, str]:
    """Values of `set` that hold in a block, the nearest one first."""
    found: dict[str, str] = {}
    above: Scope | None = scope
    while above is not None:
        for each in reversed(above.own("set")[-_MOST_REGEXES:]):
            if len(each.args) == 2:
                found.setdefault(each.args[0].strip("${}"), each.args[1])
        above = above.parent
    return found


def _pieces(text: str, sets: dict[str, str], depth: int = 0) -> list[str]:
    """A text as constants and ``$name``, with `set` followed."""
    made: list[str] = []
    last = 0
    for found in _VARIABLE.finditer(text):
        if found.start() > last:
            made.append(text[last : found.start()])
        name = found[1] or found[2]
        if name in sets and depth < _DEPTH and f"${name}" not in sets[name]:
            made += _pieces(sets[name], sets, depth + 1)
        else:
            made.append(f"${name}")
        last = found.end()
        if len(made) > _MOST_PIECES:
            break
    if last < len(text):
        made.append(text[last:])
    return made[:_MOST_PIECES]


def _who_chooses(piece: str, captures: dict[str, Group], *, hosts: bool) -> bool:
    """Whether a piece is a variable that a request fills freely."""
    if not piece.startswith("$"):
        return False
    name = piece[1:]
    if name in captures:
        return captures[name].hosts
    return bool(_FREE.match(name)) or (hosts and name in _HOSTLIKE)


def _host_pieces(pieces: list[str]) -> list[str]:
    """Those pieces that decide about scheme and host of an address."""
    made: list[str] = []
    after = False
    for position, piece in enumerate(pieces):
        if piece.startswith("$"):
            if piece in {"$request_uri", "$uri", "$document_uri"} and (after or made):
                break
            made.append(piece)
            continue
        rest = piece
        if not after and "://" in rest:
            after, rest = True, rest.partition("://")[2]
        elif not after and position:
            after = True
        head, slash, _ = rest.partition("/")
        if head:
            made.append(head)
        if slash:
            break
    return made


def _each(config: Nginx, *names: str) -> Iterator[tuple[Scope, Directive, dict[str, Group], dict[str, str]]]:
    """Directives of these names with the groups and variables that hold at them, found out once for each block."""
    for scope in config.blocks():
        entries = [entry for name in names for entry in scope.own(name) if entry.args]
        if entries:
            captures, sets = _captures(scope), _sets(scope)
            for entry in entries:
                yield scope, entry, captures, sets


_TARGETS = ("proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass")


def server_side_request(config: Nginx) -> Iterator[Found]:
    """A request decides which server nginx talks to."""
    for scope, entry, captures, sets in _each(config, *_TARGETS):
        if scope.effective("internal"):
            continue
        host = _host_pieces(_pieces(entry.args[0], sets))
        chosen = next((piece for piece in host if _who_chooses(piece, captures, hosts=len(host) == 1)), "")
        if chosen:
            message = f"Whoever sends the request chooses with {chosen} where nginx connects to, also inside the network"
            yield at(entry, "server-side-request", resource(scope, entry), f"{entry.name} {chosen}", message)


def _decoded(piece: str, scope: Scope, captures: dict[str, Group]) -> bool:
    """Whether a piece may hold a line break of the request."""
    if not piece.startswith("$"):
        return False
    name = piece[1:]
    if name in captures:
        return captures[name].lines
    location = scope.up("location")
    return name in _DECODED and not (location and location.args[:1] == ("=",))


def header_injection(config: Nginx) -> Iterator[Found]:
    """The decoded path is written into a header, a redirect or a request of nginx's own: a line break in it begins a new header."""
    names = ("return", "rewrite", "add_header", "proxy_set_header", "proxy_pass", "more_set_headers")
    for scope, entry, captures, sets in _each(config, *names):
        # Numbered groups of the rewrite itself are encoded again when it redirects; named ones are not (seen with nginx 1.22).
        own = {name: group for name, group in captures.items() if not name.isdigit()} if entry.name == "rewrite" else captures
        piece = next((piece for piece in _pieces(_written(entry), sets) if _decoded(piece, scope, own)), "")
        if piece:
            what = {"proxy_pass": "the request that nginx sends", "proxy_set_header": "the request that nginx sends"}.get(
                entry.name, "the answer"
            )
            message = f"{piece} is decoded, so %0d%0a in the path begins a new header of {what}"
            yield at(entry, "header-injection", resource(scope, entry), f"{entry.name} {piece}", message)


def _written(entry: Directive) -> str:
    """The part of a directive that becomes a header or an address."""
    if entry.name == "return":
        redirect = len(entry.args) == 2 and entry.args[0] in {"301", "302", "303", "307", "308"}
        alone = len(entry.args) == 1 and re.match(r"https?://|\$scheme", entry.args[0])
        return entry.args[-1] if redirect or alone else ""
    if entry.name == "rewrite":
        leaves = len(entry.args) > 1 and (re.match(r"https?://|\$scheme", entry.args[1]) or entry.args[-1] in {"redirect", "permanent"})
        return entry.args[1] if leaves else ""
    if entry.name == "proxy_pass":
        return entry.args[0] if entry.args else ""
    return " ".join(entry.args[1:]) if entry.name != "more_set_headers" else entry.value


def open_redirect(config: Nginx) -> Iterator[Found]:
    """A redirect to an address that the link names."""
    for scope, entry, captures, sets in _each(config, "return", "rewrite"):
        text = _written(entry)
        if not text or (entry.name == "rewrite" and re.match(r"\$\{?\d", text)):
            continue
        host = _host_pieces(_pieces(text, sets))
        chosen = next((p for p in host if p.startswith("$") and (_FREE.match(p[1:]) or (p[1:] in captures and captures[p[1:]].hosts))), "")
        if chosen in {"$http_host", "$http_x_forwarded_host", "$http_x_forwarded_proto"}:
            continue
        if chosen and (text.startswith("$") or "://" in text):
            message = f"A link decides with {chosen} to which site it is redirected"
            yield at(entry, "open-redirect", resource(scope, entry), f"{entry.name} {chosen}", message)


def host_forged(config: Nginx) -> Iterator[Found]:
    """The application is given a host name that the client wrote and nginx did not compare with its own."""
    for scope, entry in config.every("proxy_set_header"):
        if len(entry.args) < 2 or entry.args[0].casefold() not in {"host", "x-forwarded-host"}:
            continue
        found = re.search(r"\$\{?(http_host|arg_\w+|cookie_\w+|http_x_\w+)", entry.args[1])
        if found:
            message = f"The application is told the host name that the client wrote (${found[1]}), and may put it into links and mails"
            yield at(entry, "host-forged", resource(scope, entry), f"proxy_set_header {entry.args[0]}", message)


def alias_traversal(config: Nginx) -> Iterator[Found]:
    """The location ends before the slash that the alias ends behind: `/files../x` leaves the folder."""
    for scope, entry in config.every("alias"):
        location = scope if scope.kind == "location" else scope.up("location")
        if location is None or not entry.args or not location.args:
            continue
        modifier, path = (location.args[0], location.args[1]) if len(location.args) > 1 else ("", location.args[0])
        if modifier not in {"", "^~"} or path.endswith("/") or path.startswith("@") or modifier == "=":
            continue
        target = entry.args[0]
        if target.endswith("/"):
            message = f"{path}../ reaches the folder above {target}"
            yield at(entry, "alias-traversal", resource(scope, entry), "alias", message)
        elif not re.search(r"\.\w{1,6}\Z", target) and not re.search(r"\.\w{1,6}\Z", path):
            message = f"{path}x reaches the neighbours of {target} whose names begin alike"
            yield at(entry, "alias-neighbours", resource(scope, entry), "alias", message)
