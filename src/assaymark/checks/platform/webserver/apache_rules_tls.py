"""Rules of Apache: how connections are protected, to clients and to what stands behind, and the headers that browsers protect people by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from assaymark.checks.platform.webserver.apache_model import Apache, Section, resource
from assaymark.checks.platform.webserver.dh_parameters import weak_bits
from assaymark.checks.platform.webserver.directives import Directive
from assaymark.checks.platform.webserver.report import Found, at
from assaymark.checks.platform.webserver.tls_words import (
    frames_guarded,
    hsts_too_short,
    outdated_words,
    weak_groups,
    weak_protocols,
    weak_words,
)
from assaymark.model.severity import Severity

HSTS = "strict-transport-security"
_PREFIX = "!aNULL:!eNULL:!EXP"
"""mod_ssl puts these before every cipher string, so what they forbid cannot be had."""
_ALL = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_PROTECTIONS = frozenset({HSTS, "x-frame-options", "x-content-type-options", "content-security-policy"})


def _protocols(args: tuple[str, ...]) -> list[str]:
    """The versions that a list of ``all``, ``+TLSv1`` and ``-SSLv3`` leaves switched on; SSL 3 only when it is named."""
    chosen: dict[str, None] = {}
    for word in args:
        sign, name = (word[0], word[1:]) if word[:1] in {"+", "-"} else ("", word)
        meant = _ALL[1:] if name.casefold() == "all" else [name]
        if sign == "-":
            gone = {each.casefold() for each in meant}
            chosen = {each: None for each in chosen if each.casefold() not in gone}
        else:
            chosen |= dict.fromkeys(meant)
    return list(chosen)


def weak_protocol(config: Apache) -> Iterator[Found]:
    """A version of TLS that fails against known attacks is switched on."""
    for section, entry in config.every("sslprotocol", "sslproxyprotocol"):
        name = {"sslprotocol": "SSLProtocol", "sslproxyprotocol": "SSLProxyProtocol"}[entry.name]
        for version in weak_protocols(_protocols(entry.args)):
            message = f"{name} admits {version}, which was withdrawn since it fails against known attacks"
            found = at(entry, "weak-protocol", resource(section, entry), f"{name}: {version}", message)
            yield found.graded(Severity.LOW) if entry.name == "sslproxyprotocol" else found


def _suites(entry: Directive) -> str:
    """The cipher string of ``SSLCipherSuite [protocol] string``; suites of TLS 1.3 are all good."""
    if len(entry.args) > 1:
        return "" if entry.args[0].casefold() == "tlsv1.3" else entry.args[1]
    return entry.value


def _only_newest(section: Section, entry: Directive) -> bool:
    """Whether TLS 1.3 alone is spoken here, for which a cipher string of older versions means nothing."""
    name = "sslproxyprotocol" if entry.name == "sslproxyciphersuite" else "sslprotocol"
    said = section.effective(name)
    return bool(said) and _protocols(said[-1].args) == ["TLSv1.3"]


def weak_ciphers(config: Apache) -> Iterator[Found]:
    """A cipher string that admits broken suites."""
    for section, entry in config.every("sslciphersuite", "sslproxyciphersuite"):
        words = [] if _only_newest(section, entry) else weak_words(_suites(entry), _PREFIX)
        if words:
            message = f"The cipher string admits {', '.join(words)}, wherever the server's OpenSSL still has it"
            yield at(entry, "weak-ciphers", resource(section, entry), "SSLCipherSuite", message)


def outdated_ciphers(config: Apache) -> Iterator[Found]:
    """A cipher string that goes beyond the profile without being broken."""
    for section, entry in config.every("sslciphersuite"):
        words = [] if _only_newest(section, entry) else outdated_words(_suites(entry), _PREFIX)
        if words:
            message = f"SSLCipherSuite admits {' and '.join(words)}, which no current client needs"
            yield at(entry, "outdated-ciphers", resource(section, entry), "SSLCipherSuite", message)


def weak_group(config: Apache) -> Iterator[Found]:
    """A curve below 112 bits of strength, or DH parameters that are too short, by the file or by its name."""
    for section, entry in config.every("sslopensslconfcmd"):
        command = entry.args[0].casefold() if entry.args else ""
        value = " ".join(entry.args[1:])
        if command in {"curves", "groups", "ecdhparameters"}:
            for name in weak_groups(value):
                yield at(entry, "weak-group", resource(section, entry), f"Curves: {name}", f"The curve {name} is too small for today")
        bits, how = weak_bits(value, config.texts) if command == "dhparameters" else (0, "")
        if bits:
            message = f"{how} DH parameters of {bits} bits, which can be broken"
            yield at(entry, "weak-dh-parameters", resource(section, entry), "DHParameters", message)


_SWITCHES = {
    "sslcompression": ("tls-compression", "SSLCompression", "With compression the length of an answer tells what secret is in it (CRIME)"),
    "sslinsecurerenegotiation": (
        "insecure-renegotiation",
        "SSLInsecureRenegotiation",
        "Somebody on the path can put a request of his own before that of the client",
    ),
}


def switches(config: Apache) -> Iterator[Found]:
    """Settings of mod_ssl that bring a known attack back."""
    for section, entry in config.every(*_SWITCHES):
        rule, name, message = _SWITCHES[entry.name]
        if entry.value.casefold() == "on":
            yield at(entry, rule, resource(section, entry), name, message)


def ticket_key_fixed(config: Apache) -> Iterator[Found]:
    """A key for session tickets that lies in a file and does not change."""
    for section, entry in config.every("sslsessionticketkeyfile"):
        message = "Whoever gets this file can read recorded sessions back to the day it was made"
        yield at(entry, "ticket-key-fixed", resource(section, entry), "SSLSessionTicketKeyFile", message)


def client_proof_not_verified(config: Apache) -> Iterator[Found]:
    """Certificates of clients are taken without asking who signed them."""
    for section, entry in config.every("sslverifyclient"):
        if entry.value.casefold() == "optional_no_ca":
            message = "Any self-made certificate of a client is taken; only what stands behind can still refuse it"
            yield at(entry, "client-certificate-unverified", resource(section, entry), "SSLVerifyClient", message)


def upstream_unverified(config: Apache) -> Iterator[Found]:
    """Checks of the certificate of the server behind are switched off."""
    wanted = {"sslproxyverify": "none", "sslproxycheckpeername": "off", "sslproxycheckpeercn": "off", "sslproxycheckpeerexpire": "off"}
    names = {"sslproxyverify": "SSLProxyVerify", "sslproxycheckpeername": "SSLProxyCheckPeerName"}
    for section, entry in config.every(*wanted):
        if entry.value.casefold() == wanted[entry.name]:
            name = names.get(entry.name, "SSLProxyCheckPeerCN" if entry.name.endswith("cn") else "SSLProxyCheckPeerExpire")
            message = f"{name} is switched off, so whoever answers is taken for the server behind"
            yield at(entry, "upstream-unverified", resource(section, entry), name, message)


def speaks_tls(host: Section) -> bool:
    """Whether a virtual host takes TLS connections."""
    return host.last("sslengine") in {"on", "optional"}


def only_redirects(host: Section) -> bool:
    """Whether every request is answered by a redirect."""
    if any(len(each.args) > 1 and each.args[-2] == "/" for each in host.own("redirect")):
        return True
    if any(each.args[:1] == ("/",) for name in ("redirectpermanent", "redirecttemp") for each in host.own(name)):
        return True
    everything = ("^", "^(.*)$", "(.*)", "^/(.*)$", "^/?(.*)", "^/?(.*)$", ".*", "^.*$", "^(.*)", "^/(.*)")
    if any(len(e.args) > 1 and e.args[-2] in everything for e in host.own("redirectmatch")):
        return True
    return any(e.args[:1] and e.args[0] in everything and e.args[1:2] and e.args[1].startswith("https://") for e in host.own("rewriterule"))


def cleartext_only(config: Apache) -> Iterator[Found]:
    """A named host that answers without TLS and does not send people to it."""
    for host in config.blocks("virtualhost"):
        names = [each.args[0] for each in host.own("servername") if each.args]
        public = [name for name in names if re.search(r"[a-z]\.[a-z]{2,}\Z", name) and not name.endswith((".local", ".internal", ".test"))]
        local = any(arg.startswith(("127.", "localhost", "[::1]")) for arg in host.args)
        clear = any(arg.endswith(":80") for arg in host.args) and not speaks_tls(host)
        redirects = only_redirects(host) or any("https://" in each.value for inner in host.below() for each in inner.own("rewriterule"))
        if host.opened and public and clear and not local and not redirects and host.whole:
            message = f"{public[0]} is served without TLS, and nothing sends visitors to https"
            yield at(host.opened, "cleartext-only", host.address, "VirtualHost", message)


def password_in_clear(config: Apache) -> Iterator[Found]:
    """HTTP basic authentication on a host without TLS: the password crosses the network readable."""
    for section, entry in config.every("authtype"):
        host = section.up("virtualhost")
        if host is None or entry.value.casefold() != "basic" or speaks_tls(host) or only_redirects(host):
            continue
        if any(arg.endswith(":80") for arg in host.args) and not section.effective("sslrequiressl"):
            yield at(
                entry, "password-in-clear", resource(section, entry), "AuthType", "Passwords are asked for on a connection without TLS"
            )


def header(entry: Directive) -> tuple[str, str, str]:
    """Action, name in lower case and value of a ``Header`` directive; the condition is left out."""
    args = entry.args[1:] if entry.args[:1] and entry.args[0].casefold() in {"always", "onsuccess"} else entry.args
    if len(args) < 2:
        return "", "", ""
    return args[0].casefold(), args[1].casefold().rstrip(":"), args[2] if len(args) > 2 else ""


def _set_in(sections: Iterable[Section]) -> dict[str, str]:
    """Headers that any of the sections sets, names in lower case."""
    made: dict[str, str] = {}
    for section in sections:
        for entry in section.own("header"):
            action, name, value = header(entry)
            if action in {"set", "append", "add", "merge", "setifempty"}:
                made[name] = value
    return made


def _outside(host: Section) -> Iterator[Section]:
    """What surrounds a host and is no host itself."""
    above = host.parent
    while above is not None:
        yield above
        yield from (child for child in above.children if child.kind != "virtualhost")
        above = above.parent


def _serving(config: Apache) -> Iterator[tuple[Section, Directive, dict[str, str]]]:
    """Hosts of which it is known that they answer with content over TLS, and the headers that are set for them."""
    around: dict[int, dict[str, str]] = {}
    for host in config.blocks("virtualhost"):
        answers = host.own("servername") or host.own("documentroot")
        if host.opened and answers and speaks_tls(host) and host.sure() and not only_redirects(host):
            if id(host.parent) not in around:
                around[id(host.parent)] = _set_in(_outside(host))
            yield host, host.opened, around[id(host.parent)] | _set_in(host.below())


def _passes_on(host: Section) -> bool:
    return any(each.args[:1] == ("/",) and each.args[1:2] != ("!",) for inner in host.below() for each in inner.own("proxypass"))


def hsts_missing(config: Apache) -> Iterator[Found]:
    """A TLS host that does not tell browsers to stay with TLS."""
    for host, opened, headers in _serving(config):
        if HSTS not in headers:
            message = "Without Strict-Transport-Security the first step of each visit can be led to plain http"
            yield at(opened, "hsts-missing", host.address, "Header Strict-Transport-Security", message)


def hsts_short(config: Apache) -> Iterator[Found]:
    """HSTS that is over before it helps."""
    for section, entry in config.every("header"):
        action, name, value = header(entry)
        if name == HSTS and action != "unset" and hsts_too_short(value):
            message = "Strict-Transport-Security ends after less than half a year"
            yield at(entry, "hsts-short", resource(section, entry), "Header Strict-Transport-Security", message)


def protections_missing(config: Apache) -> Iterator[Found]:
    """Pages without the headers that limit what a hole is worth."""
    for host, opened, headers in _serving(config):
        if _passes_on(host):
            continue
        if "x-content-type-options" not in headers:
            message = "Browsers may take uploaded text for script without X-Content-Type-Options: nosniff"
            yield at(opened, "sniffing-allowed", host.address, "Header X-Content-Type-Options", message)
        if not frames_guarded(headers):
            message = "Any site can show these pages in a frame and lead clicks onto them"
            yield at(opened, "framing-allowed", host.address, "Header frame-ancestors", message)
        if not {"content-security-policy", "content-security-policy-report-only"} & headers.keys():
            message = "Without Content-Security-Policy one hole in a page is enough to run foreign script"
            yield at(opened, "content-policy-missing", host.address, "Header Content-Security-Policy", message)


def protection_removed(config: Apache) -> Iterator[Found]:
    """A header that protects visitors is taken out of answers."""
    for section in config.blocks():
        if not section.own("header") or section.up("files", "filesmatch", "if", "locationmatch") is not None:
            continue
        replaced = {header(each)[1] for each in section.own("header") if header(each)[0] == "set"}
        for entry in section.own("header"):
            action, name, _ = header(entry)
            if action == "unset" and name in _PROTECTIONS - replaced and not _has_condition(entry):
                where = resource(section, entry)
                yield at(entry, "protection-removed", where, f"Header unset {name}", f"{name} is taken out of every answer")


def _has_condition(entry: Directive) -> bool:
    return any(arg.startswith(("env=", "expr=")) for arg in entry.args)


def foreign_origin_trusted(config: Apache) -> Iterator[Found]:
    """Any site may read answers with the visitor's cookies."""
    for section in config.blocks():
        rows = {header(each)[1]: (each, header(each)[2]) for each in section.own("header") if header(each)[0] != "unset"}
        origin, credentials = rows.get("access-control-allow-origin"), rows.get("access-control-allow-credentials")
        mirrored = origin is not None and re.search(r"%\{(?:HTTP_)?ORIGIN\}[ie]", origin[1], re.IGNORECASE)
        if origin and mirrored and credentials and credentials[1] == "true" and not _has_condition(origin[0]):
            message = "Every origin that asks is answered as trusted, with the visitor's cookies"
            where = resource(section, origin[0])
            yield at(origin[0], "foreign-origin-trusted", where, "Header Access-Control-Allow-Origin", message)
