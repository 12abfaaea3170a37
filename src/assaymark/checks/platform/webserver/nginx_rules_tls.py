"""Rules of nginx: how connections are protected, to clients and to what stands behind."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.platform.webserver.dh_parameters import weak_bits
from assaymark.checks.platform.webserver.directives import Directive
from assaymark.checks.platform.webserver.nginx_model import (
    Nginx,
    Scope,
    is_local,
    only_redirects,
    port_of,
    resource,
    speaks_clear,
    speaks_tls,
)
from assaymark.checks.platform.webserver.report import Found, at
from assaymark.checks.platform.webserver.tls_words import outdated_words, weak_groups, weak_protocols, weak_words
from assaymark.model.severity import Severity

_PASSES = ("proxy", "grpc", "uwsgi")
_PROTOCOLS = ("ssl_protocols", *(f"{each}_ssl_protocols" for each in _PASSES))
_CIPHERS = ("ssl_ciphers", *(f"{each}_ssl_ciphers" for each in _PASSES))
_INSIDE = re.compile(r"(?:localhost|127\.[\d.]+|\[::1\]|unix:|10\.[\d.]+|192\.168\.[\d.]+|172\.(?:1[6-9]|2\d|3[01])\.[\d.]+)(?![\w.-])")


def weak_protocol(config: Nginx) -> Iterator[Found]:
    """A version of TLS that fails against known attacks is switched on."""
    for scope, entry in config.every(*_PROTOCOLS):
        for name in weak_protocols(list(entry.args)):
            message = f"{entry.name} admits {name}, which was withdrawn since it fails against known attacks"
            severity = Severity.LOW if entry.name != "ssl_protocols" else None
            yield at(entry, "weak-protocol", resource(scope, entry), f"{entry.name}: {name}", message).graded(severity)


def _only_newest(scope: Scope, entry: Directive) -> bool:
    """Whether TLS 1.3 alone is spoken here, for which a cipher string of older versions means nothing."""
    return scope.last(entry.name.replace("_ciphers", "_protocols")) == "TLSv1.3"


def weak_ciphers(config: Nginx) -> Iterator[Found]:
    """A cipher string that admits broken suites."""
    for scope, entry in config.every(*_CIPHERS):
        words = [] if _only_newest(scope, entry) else weak_words(entry.value)
        if words:
            bare = "no encryption" in words or "no authentication" in words
            message = f"{entry.name} admits {', '.join(words)}, wherever the server's OpenSSL still has it"
            yield at(entry, "weak-ciphers", resource(scope, entry), entry.name, message).graded(Severity.HIGH if bare else None)


def outdated_ciphers(config: Nginx) -> Iterator[Found]:
    """A cipher string that goes beyond the profile without being broken."""
    for scope, entry in config.every("ssl_ciphers"):
        words = [] if _only_newest(scope, entry) else outdated_words(entry.value)
        if words:
            message = f"ssl_ciphers admits {' and '.join(words)}, which no current client needs"
            yield at(entry, "outdated-ciphers", resource(scope, entry), "ssl_ciphers", message)


def weak_group(config: Nginx) -> Iterator[Found]:
    """A curve below 112 bits of strength."""
    for scope, entry in config.every("ssl_ecdh_curve"):
        for name in weak_groups(entry.value):
            yield at(entry, "weak-group", resource(scope, entry), f"ssl_ecdh_curve: {name}", f"The curve {name} is too small for today")


def weak_dh_parameters(config: Nginx) -> Iterator[Found]:
    """Diffie-Hellman parameters that are too short, by the file or by its name."""
    for scope, entry in config.every("ssl_dhparam"):
        bits, how = weak_bits(entry.value, config.texts)
        if bits:
            message = f"{how} DH parameters of {bits} bits, which can be broken"
            yield at(entry, "weak-dh-parameters", resource(scope, entry), "ssl_dhparam", message)


def ticket_key_fixed(config: Nginx) -> Iterator[Found]:
    """A key for session tickets that lies in a file and does not change."""
    for scope, entry in config.every("ssl_session_ticket_key"):
        message = "Whoever gets this file can read recorded sessions back to the day it was made"
        yield at(entry, "ticket-key-fixed", resource(scope, entry), "ssl_session_ticket_key", message)


def client_proof_not_verified(config: Nginx) -> Iterator[Found]:
    """Certificates of clients are taken without asking who signed them."""
    for scope, entry in config.every("ssl_verify_client"):
        if entry.args == ("optional_no_ca",):
            message = "Any self-made certificate of a client is taken; only what stands behind can still refuse it"
            yield at(entry, "client-certificate-unverified", resource(scope, entry), "ssl_verify_client", message)


def early_data(config: Nginx) -> Iterator[Found]:
    """0-RTT requests can be replayed, and what stands behind isn't told which they are."""
    for scope in config.blocks():
        entries = [entry for entry in scope.own("ssl_early_data") if entry.args == ("on",)]
        below = (
            each for inner in (scope.below() if entries else ()) for each in inner.own("proxy_set_header") + inner.own("fastcgi_param")
        )
        if not entries or any("$ssl_early_data" in each.value for each in below):
            continue
        if not any("$ssl_early_data" in each.value for each in scope.effective("proxy_set_header")):
            message = "Early data can be sent again by anybody who recorded it, and the application is not told"
            yield at(entries[-1], "early-data-replay", resource(scope, entries[-1]), "ssl_early_data", message)


def upstream_unverified(config: Nginx) -> Iterator[Found]:
    """A TLS connection to a server elsewhere whose certificate nobody looks at."""
    inside = _upstreams_inside(config)
    for scope, entry in config.every("proxy_pass", "grpc_pass", "uwsgi_pass"):
        kind = entry.name.removesuffix("_pass")
        found = re.match(r"(?:https|grpcs|suwsgi)://([^/\s]+)", entry.value)
        if not found or _INSIDE.match(found[1]) or scope.last(f"{kind}_ssl_verify") == "on" or found[1] in inside:
            continue
        if scope.sure() or scope.last(f"{kind}_ssl_verify"):
            message = "nginx takes any certificate from the server behind unless it is told to verify"
            yield at(entry, "upstream-unverified", resource(scope, entry), f"{entry.name} {found[1]}", message)


def _upstreams_inside(config: Nginx) -> set[str]:
    """Names of the upstreams whose members are all on this machine or its inner network."""
    return {
        scope.args[0]
        for scope in config.blocks("upstream")
        if scope.args and all(_INSIDE.match(each.args[0]) for each in scope.own("server") if each.args)
    }


def cleartext_only(config: Nginx) -> Iterator[Found]:
    """A named server that answers without TLS and does not send people to it."""
    protected = {
        name for server in config.blocks("server") if speaks_tls(server) for each in server.own("server_name") for name in each.args
    }
    for server in config.blocks("server"):
        names = [name for each in server.own("server_name") for name in each.args]
        public = [name for name in names if re.search(r"[a-z]\.[a-z]{2,}\Z", name) and not name.endswith((".local", ".internal", ".test"))]
        if server.opened is None or not _in_http(server) or not public or not speaks_clear(server) or only_redirects(server):
            continue
        if speaks_tls(server) and not protected & set(public):
            continue
        listens = server.own("listen")
        if listens and "80" not in {port_of(each) for each in listens}:
            continue  # another port is a proxy's business, which may well speak TLS
        redirects = any(
            each.value.startswith(("301 https", "302 https", "307 https", "308 https"))
            for inner in server.below()
            for each in inner.own("return")
        )
        if redirects or any(
            "$scheme" in child.args[0] or "forwarded_proto" in child.args[0]
            for child in server.children
            if child.kind == "if" and child.args
        ):
            continue
        message = f"{public[0]} is served without TLS, and nothing sends visitors to https"
        yield at(server.opened, "cleartext-only", server.address, "listen", message)


def password_in_clear(config: Nginx) -> Iterator[Found]:
    """HTTP basic authentication on a server without TLS: the password crosses the network readable."""
    for scope, entry in config.every("auth_basic"):
        server = scope.up("server")
        if server is None or entry.args == ("off",) or speaks_tls(server) or is_local(server) or only_redirects(server):
            continue
        yield at(entry, "password-in-clear", resource(scope, entry), "auth_basic", "Passwords are asked for on a connection without TLS")


def _in_http(server: Scope) -> bool:
    return server.up("stream") is None and server.up("mail") is None
