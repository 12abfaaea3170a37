"""All rules of the nginx check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from assaymark.checks.platform.webserver import nginx_rules_exposure as exposure
from assaymark.checks.platform.webserver import nginx_rules_headers as headers
from assaymark.checks.platform.webserver import nginx_rules_requests as requests
from assaymark.checks.platform.webserver import nginx_rules_tls as tls
from assaymark.checks.platform.webserver.nginx_model import Nginx
from assaymark.checks.platform.webserver.report import Found
from assaymark.checks.rulebook import Rule
from assaymark.model.severity import Confidence, Severity

NginxRule = Callable[[Nginx], Iterator[Found]]

_INFO, _LOW, _MEDIUM, _HIGH = Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH
_SURE, _LIKELY, _MAYBE = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW
_HEADERS = "; repeat it in every block that has an add_header of its own."

_TABLE: Final[dict[str, tuple[NginxRule, Rule]]] = {
    # connections
    "weak-protocol": (tls.weak_protocol, Rule(_MEDIUM, _SURE, "Write `ssl_protocols TLSv1.2 TLSv1.3;`.")),
    "weak-ciphers": (
        tls.weak_ciphers,
        Rule(_MEDIUM, _SURE, "Write `ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;`: every client of the last ten years has one of them."),
    ),
    "outdated-ciphers": (
        tls.outdated_ciphers,
        Rule(_LOW, _SURE, "Write `ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;`, or leave the line out and offer TLS 1.3 only."),
    ),
    "weak-group": (
        tls.weak_group,
        Rule(_MEDIUM, _SURE, "Write `ssl_ecdh_curve X25519:prime256v1:secp384r1;`, with X25519MLKEM768 in front from OpenSSL 3.5."),
    ),
    "weak-dh-parameters": (
        tls.weak_dh_parameters,
        Rule(_MEDIUM, _LIKELY, "Remove ssl_dhparam and offer ECDHE suites only, or take the group ffdhe2048 of RFC 7919."),
    ),
    "ticket-key-fixed": (
        tls.ticket_key_fixed,
        Rule(_LOW, _SURE, "Remove it, or replace the file every day and keep the one before for a day."),
    ),
    "client-certificate-unverified": (
        tls.client_proof_not_verified,
        Rule(
            _MEDIUM,
            _LIKELY,
            "Write `ssl_verify_client on;` with ssl_client_certificate; with optional, refuse unless $ssl_client_verify is SUCCESS.",
        ),
    ),
    "early-data-replay": (
        tls.early_data,
        Rule(_LOW, _SURE, "Pass `proxy_set_header Early-Data $ssl_early_data;` and let the application refuse writes with 425."),
    ),
    "upstream-unverified": (
        tls.upstream_unverified,
        Rule(
            _LOW,
            _SURE,
            "Add `proxy_ssl_verify on;`, proxy_ssl_trusted_certificate and `proxy_ssl_server_name on;` (grpc_ and uwsgi_ alike).",
        ),
    ),
    "cleartext-only": (
        tls.cleartext_only,
        Rule(_LOW, _LIKELY, "Serve it with TLS and let the server on port 80 answer `return 301 https://$host$request_uri;`."),
    ),
    "password-in-clear": (tls.password_in_clear, Rule(_LOW, _LIKELY, "Ask for passwords on the TLS server only.")),
    # headers
    "hsts-missing": (
        headers.hsts_missing,
        Rule(_LOW, _SURE, 'Add `add_header Strict-Transport-Security "max-age=63072000" always;`' + _HEADERS),
    ),
    "hsts-short": (headers.hsts_short, Rule(_LOW, _SURE, "Raise max-age to 63072000 (two years) once everything works over https.")),
    "sniffing-allowed": (headers.sniffing_allowed, Rule(_LOW, _SURE, "Add `add_header X-Content-Type-Options nosniff always;`" + _HEADERS)),
    "framing-allowed": (
        headers.framing_allowed,
        Rule(_LOW, _LIKELY, "Add `add_header Content-Security-Policy \"frame-ancestors 'self'\" always;`" + _HEADERS),
    ),
    "content-policy-missing": (
        headers.content_policy_missing,
        Rule(
            _INFO,
            _LIKELY,
            "Begin with `add_header Content-Security-Policy-Report-Only \"default-src 'self'\" always;` and make it binding later.",
        ),
    ),
    "headers-lost": (
        headers.headers_lost,
        Rule(_LOW, _SURE, "Put the headers into one file and include it in every block that has an add_header of its own."),
    ),
    "foreign-origin-trusted": (
        headers.foreign_origin_trusted,
        Rule(_MEDIUM, _LIKELY, "Answer only origins on a list: `map $http_origin $cors { https://app.example.org $http_origin; }`."),
    ),
    "origin-check-loose": (
        headers.origin_check_loose,
        Rule(
            _MEDIUM, _LIKELY, "Compare the whole value: `^https://(www\\.)?example\\.org$` for Origin, with `(/|$)` at the end for Referer."
        ),
    ),
    "no-referer-passes": (
        headers.no_referer_passes,
        Rule(_LOW, _LIKELY, "Do not decide by the Referer; guard with a login or signed links."),
    ),
    # what is shown
    "directory-listing": (exposure.directory_listing, Rule(_MEDIUM, _SURE, "Remove `autoindex on;`, or ask who is there.")),
    "version-shown": (exposure.version_shown, Rule(_LOW, _SURE, "Write `server_tokens off;`.")),
    "status-open": (exposure.status_open, Rule(_LOW, _SURE, "Add `allow 127.0.0.1; deny all;`, or listen on an inner address.")),
    "allow-without-deny": (exposure.allow_without_deny, Rule(_MEDIUM, _SURE, "Add `deny all;` behind the allowed addresses.")),
    "control-open": (exposure.control_open, Rule(_HIGH, _SURE, "Add `allow` for the operators' network, `deny all;` and a login.")),
    "files-writable": (exposure.files_writable, Rule(_HIGH, _LIKELY, "Ask who is there: `limit_except GET { auth_basic …; }` over TLS.")),
    "system-folder-served": (exposure.system_folder, Rule(_HIGH, _SURE, "Serve a folder that holds nothing but the pages.")),
    "key-in-document-root": (
        exposure.key_in_root,
        Rule(_HIGH, _SURE, "Move the key out of the folder, readable for root only, and replace it."),
    ),
    "hidden-files-served": (exposure.hidden_files, Rule(_LOW, _LIKELY, "Add `location ~ /\\.(?!well-known) { return 404; }`.")),
    "runs-as-root": (exposure.runs_as_root, Rule(_MEDIUM, _SURE, "Name an account of its own: `user www-data;`.")),
    "body-unlimited": (exposure.body_unlimited, Rule(_LOW, _SURE, "Name the largest upload that is meant, in the location that takes it.")),
    "debug-log": (exposure.debug_log, Rule(_LOW, _SURE, "Write `error_log … warn;`.")),
    "no-catch-all": (
        exposure.no_catch_all,
        Rule(_INFO, _SURE, "Add a server with `listen 443 ssl default_server;` and `ssl_reject_handshake on;` (`return 444;` on port 80)."),
    ),
    "client-address-forged": (
        exposure.everybody_is_proxy,
        Rule(_MEDIUM, _LIKELY, "Trust the addresses of your own proxies only, and pass $remote_addr on (or $proxy_add_x_forwarded_for)."),
    ),
    "slashes-kept": (exposure.slashes_kept, Rule(_LOW, _LIKELY, "Remove `merge_slashes off;`.")),
    "odd-headers-passed": (exposure.odd_headers, Rule(_LOW, _LIKELY, "Keep the default, and rename the headers that need it.")),
    "uploads-run": (
        exposure.uploads_run,
        Rule(_LOW, _MAYBE, "Add `try_files $fastcgi_script_name =404;`, and serve uploads from a place without PHP."),
    ),
    # what requests decide
    "server-side-request": (
        requests.server_side_request,
        Rule(_HIGH, _LIKELY, "Choose the target by a `map` from known names, or write it down."),
    ),
    "header-injection": (
        requests.header_injection,
        Rule(_MEDIUM, _LIKELY, "Use $request_uri, which stays encoded, or groups that take no line break: `[^/\\s]+`."),
    ),
    "open-redirect": (requests.open_redirect, Rule(_MEDIUM, _LIKELY, "Redirect to addresses on a list (`map`), or to paths of this site.")),
    "host-forged": (requests.host_forged, Rule(_LOW, _LIKELY, "Pass `$host`, with a default server that refuses foreign names.")),
    "alias-traversal": (requests.alias_traversal, Rule(_HIGH, _SURE, "End both with a slash: `location /files/ { alias /srv/files/; }`.")),
    "alias-neighbours": (
        requests.alias_traversal,
        Rule(_LOW, _LIKELY, "End both with a slash: `location /files/ { alias /srv/files/; }`."),
    ),
}

EXAMINERS: Final[tuple[NginxRule, ...]] = (*dict.fromkeys(examine for examine, _ in _TABLE.values()), exposure.address_from_header)
"""What is run over a configuration."""

RULES: Final[dict[str, Rule]] = {name: rule for name, (_, rule) in _TABLE.items()}
