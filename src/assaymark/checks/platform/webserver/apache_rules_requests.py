"""Rules of Apache: text of the request that decides more than it should."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.platform.webserver.apache_model import Apache, Section, resource
from assaymark.checks.platform.webserver.apache_rules_exposure import guarded
from assaymark.checks.platform.webserver.directives import Directive
from assaymark.checks.platform.webserver.regex_groups import Group, groups
from assaymark.checks.platform.webserver.report import Found, at
from assaymark.checks.platform.webserver.tls_words import covers_everybody

_REQUEST = re.compile(r"%\{(?:HTTP:[\w-]+|HTTP_(?!HOST\b)\w+|QUERY_STRING|THE_REQUEST|HTTP_HOST)\}")
_FLAGS = re.compile(r"\[([^\]]*)\]\Z")


def forward_proxy_open(config: Apache) -> Iterator[Found]:
    """A forward proxy for everybody."""
    limited = any(guarded(inner) for inner in config.blocks("proxy", "proxymatch"))
    for section, entry in config.every("proxyrequests"):
        if entry.value.casefold() == "on" and not limited and section.whole:
            message = "Everybody can send requests through this server, also to the network behind it"
            yield at(entry, "forward-proxy-open", resource(section, entry), "ProxyRequests", message)


def _flags(entry: Directive) -> set[str]:
    found = _FLAGS.match(entry.args[-1]) if len(entry.args) > 2 else None
    return {part.strip().partition("=")[0].casefold() for part in found[1].split(",")} if found else set()


def _rewrites(config: Apache) -> Iterator[tuple[Section, Directive, list[Directive]]]:
    """Every rule with the `RewriteCond` lines that stand directly before it."""
    for section in config.blocks():
        conditions: list[Directive] = []
        for each in section.entries:
            if each.name == "rewritecond":
                conditions.append(each)
            elif each.name == "rewriterule":
                yield section, each, conditions
                conditions = []


def _host(target: str) -> str:
    """Scheme and host of an address, with what might still belong to the host."""
    found = re.match(r"(?:[\w+-]+://)?([^/?\s]*)", target)
    return found[1] if found else ""


def _free(host: str, own: dict[str, Group], conditions: list[Directive], *, relative: bool = False) -> str:
    """The part of a host that a request fills freely. In a folder's rules paths are `relative`, without their first slash."""
    for piece in re.findall(r"\$\d|%\d|%\{[^}]*\}", host):
        if piece.startswith("$"):
            group = own.get(piece[1:])
            if group and group.hosts and not (group.rooted and not host.startswith(piece) and not relative):
                return str(piece)
        elif piece.startswith("%{"):
            if _REQUEST.match(piece) and piece != "%{HTTP_HOST}":
                return str(piece)
        elif conditions and _asks_request(conditions[-1]) and _group_of(conditions[-1], piece[1:]):
            return str(piece)
    return ""


def _asks_request(condition: Directive) -> bool:
    return bool(condition.args) and _REQUEST.search(condition.args[0]) is not None and "HTTP_HOST" not in condition.args[0]


def _group_of(condition: Directive, number: str) -> bool:
    group = groups(condition.args[1]).get(number) if len(condition.args) > 1 else None
    return group is not None and group.hosts


def server_side_request(config: Apache) -> Iterator[Found]:
    """A request decides which server Apache talks to."""
    proxied = [row for row in _rewrites(config) if _flags(row[1]) & {"p", "proxy"}]
    matched = [(section, entry, list[Directive]()) for section, entry in config.every("proxypassmatch")]
    for section, entry, conditions in [*proxied, *matched]:
        target = entry.args[1] if len(entry.args) > 1 else ""
        if not re.match(r"\w+://|\$\d|%\d|%\{", target):
            continue
        relative = section.up("directory", "htaccess") is not None
        chosen = _free(_host(target), groups(entry.args[0]), conditions, relative=relative)
        if not chosen and _host(target) == "%{HTTP_HOST}" and entry.name == "rewriterule":
            chosen = "%{HTTP_HOST}"
        if chosen:
            name = "RewriteRule" if entry.name == "rewriterule" else "ProxyPassMatch"
            message = f"Whoever sends the request chooses with {chosen} where Apache connects to, also inside the network"
            yield at(entry, "server-side-request", resource(section, entry), f"{name} {chosen}", message)


def open_redirect(config: Apache) -> Iterator[Found]:
    """A redirect to an address that the link names."""
    for section, entry, conditions in _rewrites(config):
        if len(entry.args) < 3 or not _flags(entry) & {"r", "redirect"}:
            continue
        target = entry.args[1]
        chosen = _free(_host(target), {}, conditions) if re.match(r"https?://|%\d|%\{QUERY_STRING\}", target) else ""
        if chosen:
            message = f"A link decides with {chosen} to which site it is redirected"
            yield at(entry, "open-redirect", resource(section, entry), f"RewriteRule {chosen}", message)


def client_address_forged(config: Apache) -> Iterator[Found]:
    """Any client may say which address it comes from."""
    for section, entry in config.every("remoteiptrustedproxy", "remoteipinternalproxy"):
        wide = [arg for arg in entry.args if covers_everybody(arg)]
        if wide:
            message = "Every client may name the address it is judged by"
            yield at(entry, "client-address-forged", resource(section, entry), f"RemoteIP {wide[0]}", message)


def lenient_parsing(config: Apache) -> Iterator[Found]:
    """Malformed requests are taken, which servers behind read differently."""
    for section, entry in config.every("httpprotocoloptions"):
        if any(arg.casefold() == "unsafe" for arg in entry.args):
            message = "Malformed requests are passed on, and what one server takes for a header is a second request for the next"
            yield at(entry, "lenient-parsing", resource(section, entry), "HttpProtocolOptions", message)


def slashes_kept(config: Apache) -> Iterator[Found]:
    """`//admin` no longer matches the section that guards `/admin`."""
    for section, entry in config.every("mergeslashes"):
        if entry.value.casefold() == "off":
            message = "A doubled slash gets past the sections that guard a path"
            yield at(entry, "slashes-kept", resource(section, entry), "MergeSlashes", message)


def host_forged(config: Apache) -> Iterator[Found]:
    """The application is given a host name that the client wrote."""
    for section, entry in config.every("requestheader"):
        name = entry.args[1].casefold().rstrip(":") if len(entry.args) > 2 else ""
        if name in {"x-forwarded-host", "host"} and "%{HTTP_HOST}" in entry.args[2]:
            message = "The application is told the host name that the client wrote, and may put it into links and mails"
            yield at(entry, "host-forged", resource(section, entry), f"RequestHeader {name}", message)
