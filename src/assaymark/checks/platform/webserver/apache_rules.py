"""All rules of the Apache check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.platform.webserver import apache_rules_exposure as exposure
from assaymark.checks.platform.webserver import apache_rules_requests as requests
from assaymark.checks.platform.webserver import apache_rules_tls as tls
from assaymark.checks.platform.webserver.apache_model import Apache
from assaymark.checks.platform.webserver.report import Found
from assaymark.checks.rulebook import Rule
from assaymark.model.severity import Confidence, Severity

ApacheRule = Callable[[Apache], Iterator[Found]]

_INFO, _LOW, _MEDIUM, _HIGH = Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH
_SURE, _LIKELY, _MAYBE = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW

_TABLE: Final[dict[str, tuple[ApacheRule, Rule]]] = {
    # connections
    "weak-protocol": (tls.weak_protocol, Rule(_MEDIUM, _SURE, "Write `SSLProtocol -all +TLSv1.2 +TLSv1.3`.")),
    "weak-ciphers": (
        tls.weak_ciphers,
        Rule(_MEDIUM, _SURE, "Write `SSLCipherSuite ECDHE+AESGCM:ECDHE+CHACHA20`: every client of the last ten years has one of them."),
    ),
    "outdated-ciphers": (tls.outdated_ciphers, Rule(_LOW, _SURE, "Write `SSLCipherSuite ECDHE+AESGCM:ECDHE+CHACHA20`.")),
    "weak-group": (tls.weak_group, Rule(_MEDIUM, _SURE, "Write `SSLOpenSSLConfCmd Curves X25519:prime256v1:secp384r1`.")),
    "weak-dh-parameters": (
        tls.weak_group,
        Rule(_MEDIUM, _LIKELY, "Remove it and offer ECDHE suites only, or take the group ffdhe2048 of RFC 7919."),
    ),
    "tls-compression": (tls.switches, Rule(_MEDIUM, _SURE, "Remove `SSLCompression on`.")),
    "insecure-renegotiation": (
        tls.switches,
        Rule(_MEDIUM, _SURE, "Remove `SSLInsecureRenegotiation on`; clients from after 2010 do not need it."),
    ),
    "ticket-key-fixed": (tls.ticket_key_fixed, Rule(_LOW, _SURE, "Remove it, or replace the file every day and restart.")),
    "client-certificate-unverified": (
        tls.client_proof_not_verified,
        Rule(_MEDIUM, _LIKELY, "Write `SSLVerifyClient require` with SSLCACertificateFile."),
    ),
    "upstream-unverified": (
        tls.upstream_unverified,
        Rule(_LOW, _SURE, "Write `SSLProxyVerify require`, `SSLProxyCheckPeerName on` and SSLProxyCACertificateFile."),
    ),
    "cleartext-only": (
        tls.cleartext_only,
        Rule(_LOW, _LIKELY, "Serve it with TLS and let the host on port 80 answer `Redirect permanent / https://…/`."),
    ),
    "password-in-clear": (tls.password_in_clear, Rule(_LOW, _LIKELY, "Ask for passwords on the TLS host only, or add `SSLRequireSSL`.")),
    # headers
    "hsts-missing": (tls.hsts_missing, Rule(_LOW, _SURE, 'Add `Header always set Strict-Transport-Security "max-age=63072000"`.')),
    "hsts-short": (tls.hsts_short, Rule(_LOW, _SURE, "Raise max-age to 63072000 (two years) once everything works over https.")),
    "sniffing-allowed": (tls.protections_missing, Rule(_LOW, _SURE, "Add `Header always set X-Content-Type-Options nosniff`.")),
    "framing-allowed": (
        tls.protections_missing,
        Rule(_LOW, _LIKELY, "Add `Header always set Content-Security-Policy \"frame-ancestors 'self'\"`."),
    ),
    "content-policy-missing": (
        tls.protections_missing,
        Rule(_INFO, _LIKELY, "Begin with Content-Security-Policy-Report-Only and make it binding when it is quiet."),
    ),
    "protection-removed": (tls.protection_removed, Rule(_LOW, _LIKELY, "Remove the line, or limit it to the files that need it.")),
    "foreign-origin-trusted": (
        tls.foreign_origin_trusted,
        Rule(_MEDIUM, _LIKELY, 'Compare the origin with a list (`SetEnvIf Origin "^https://app\\.example\\.org$" …`) and add `env=`.'),
    ),
    # what is shown
    "directory-listing": (exposure.directory_listing, Rule(_MEDIUM, _SURE, "Write `Options -Indexes`, or ask who is there.")),
    "programs-in-pages": (exposure.programs_in_pages, Rule(_LOW, _LIKELY, "Write `Options IncludesNOEXEC`.")),
    "version-shown": (exposure.version_shown, Rule(_LOW, _SURE, "Write `ServerTokens Prod` and `ServerSignature Off`.")),
    "trace-enabled": (exposure.trace_enabled, Rule(_LOW, _SURE, "Write `TraceEnable off`.")),
    "status-open": (exposure.status_open, Rule(_MEDIUM, _LIKELY, "Add `Require local` to the section.")),
    "control-open": (exposure.status_open, Rule(_HIGH, _LIKELY, "Add a login and `Require ip` with the operators' network.")),
    "file-system-open": (
        exposure.file_system_open,
        Rule(_MEDIUM, _SURE, "Write `Require all denied` for `/`, and let in where pages are."),
    ),
    "overrides-allowed": (
        exposure.overrides_allowed,
        Rule(_LOW, _SURE, "Write `AllowOverride None` and move the rules into the configuration."),
    ),
    "system-folder-served": (exposure.system_folder, Rule(_HIGH, _SURE, "Serve a folder that holds nothing but the pages.")),
    "key-in-document-root": (
        exposure.key_in_root,
        Rule(_HIGH, _SURE, "Move the key out of the folder, readable for root only, and replace it."),
    ),
    "hidden-files-served": (
        exposure.hidden_files,
        Rule(_LOW, _LIKELY, 'Add `<DirectoryMatch "/\\.(?!well-known)">` with `Require all denied`, and the same as FilesMatch.'),
    ),
    "htaccess-served": (exposure.htaccess_served, Rule(_LOW, _SURE, 'Add `<FilesMatch "^\\.ht">` with `Require all denied`.')),
    "body-unlimited": (exposure.body_unlimited, Rule(_LOW, _SURE, "Name the largest upload that is meant, where it is taken.")),
    "debug-log": (exposure.debug_log, Rule(_LOW, _SURE, "Write `LogLevel warn`.")),
    "errors-shown": (exposure.debug_log, Rule(_LOW, _SURE, "Write `php_flag display_errors off` and read the log.")),
    "files-writable": (exposure.files_writable, Rule(_HIGH, _LIKELY, "Add a login over TLS: `AuthType`, `Require valid-user`.")),
    "limit-trap": (exposure.limit_trap, Rule(_MEDIUM, _SURE, "Take the lines out of `<Limit>`, or use `<LimitExcept>`.")),
    "uploads-run": (
        exposure.uploads_run,
        Rule(_LOW, _LIKELY, 'Use `<FilesMatch "\\.php$">` with `SetHandler`, and serve uploads from a place without it.'),
    ),
    # what requests decide
    "forward-proxy-open": (
        requests.forward_proxy_open,
        Rule(_HIGH, _LIKELY, "Write `ProxyRequests Off`: a reverse proxy does not need it."),
    ),
    "server-side-request": (
        requests.server_side_request,
        Rule(_HIGH, _LIKELY, "Write the host down and end it with a slash, or choose it by a `RewriteMap` from known names."),
    ),
    "open-redirect": (
        requests.open_redirect,
        Rule(_MEDIUM, _LIKELY, "Redirect to hosts that are written down, or on a list (`RewriteMap`)."),
    ),
    "client-address-forged": (requests.client_address_forged, Rule(_MEDIUM, _LIKELY, "Name the addresses of your own proxies only.")),
    "lenient-parsing": (requests.lenient_parsing, Rule(_MEDIUM, _SURE, "Remove `HttpProtocolOptions Unsafe`.")),
    "slashes-kept": (requests.slashes_kept, Rule(_LOW, _LIKELY, "Remove `MergeSlashes Off`.")),
    "host-forged": (requests.host_forged, Rule(_LOW, _LIKELY, "Pass the name of the host that was chosen: `%{SERVER_NAME}`.")),
}

EXAMINERS: Final[tuple[ApacheRule, ...]] = tuple(dict.fromkeys(examine for examine, _ in _TABLE.values()))
"""What is run over a configuration."""

RULES: Final[dict[str, Rule]] = {name: rule for name, (_, rule) in _TABLE.items()}
