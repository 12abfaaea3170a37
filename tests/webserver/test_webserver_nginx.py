"""Every rule of the nginx check finds its true samples and leaves its false ones alone; nginx itself accepts them all."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.webserver.webserver_reading import GROUP_2048, NGINX, rules, sightings, sites

from assaymark.checks.platform.webserver.nginx_rules import RULES
from assaymark.model.rules import catalogue

CERT = "ssl_certificate /srv/tls/cert.pem; ssl_certificate_key /srv/tls/key.pem;"
HEADERS = (
    'add_header Strict-Transport-Security "max-age=63072000" always; add_header X-Content-Type-Options nosniff always; '
    "add_header Content-Security-Policy \"default-src 'self'; frame-ancestors 'self'\" always;"
)
TLS = f"listen 443 ssl; server_name shop.example.org; {CERT}"
GOOD = f"server {{ {TLS} {HEADERS} root /srv/www; location ~ /\\. {{ return 404; }} }}"


def http(*lines: str) -> str:
    return "events {}\nhttp {\nserver_tokens off;\n" + "\n".join(lines) + "\n}\n"


def server(*lines: str) -> str:
    """A server that listens on this machine only, so that nothing but the lines is of interest."""
    return http("server {\nlisten 127.0.0.1:8080;\nserver_name app;", *lines, "}")


def tls(*lines: str) -> str:
    return http(f"server {{\n{TLS}\n{HEADERS}", *lines, "}")


def bare_tls(*lines: str) -> str:
    return http(f"server {{\n{TLS}\nlocation / {{ root /srv/www; }}", *lines, "}")


SAMPLES: list[tuple[str, str, str]] = [
    ("weak-protocol", http("ssl_protocols SSLv3 TLSv1.2;"), http("ssl_protocols TLSv1.2 TLSv1.3;")),
    ("weak-protocol", tls("ssl_protocols TLSv1 TLSv1.1 TLSv1.2;"), tls("ssl_protocols TLSv1.3;")),
    ("weak-protocol", server("proxy_ssl_protocols TLSv1.1;"), server("proxy_ssl_protocols TLSv1.2;")),
    ("weak-ciphers", tls("ssl_ciphers ALL:eNULL;"), tls("ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;")),
    ("weak-ciphers", tls("ssl_ciphers ECDHE+AESGCM:RC4-SHA;"), tls("ssl_ciphers ECDHE+AESGCM:!RC4;")),
    ("weak-ciphers", tls("ssl_ciphers HIGH:MEDIUM:!aNULL;"), tls("ssl_ciphers HIGH:!aNULL:!MD5;")),
    ("weak-ciphers", tls("ssl_ciphers HIGH;"), tls("ssl_protocols TLSv1.3; ssl_ciphers HIGH;")),
    ("outdated-ciphers", tls("ssl_ciphers HIGH:!aNULL:!MD5;"), tls("ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;")),
    ("outdated-ciphers", tls("ssl_ciphers AES128-GCM-SHA256:ECDHE+AESGCM;"), tls("ssl_ciphers EECDH+AESGCM;")),
    ("weak-group", tls("ssl_ecdh_curve secp224r1:prime256v1;"), tls("ssl_ecdh_curve X25519:prime256v1:secp384r1;")),
    ("weak-dh-parameters", tls("ssl_dhparam /srv/tls/dh1024.pem;"), tls("ssl_dhparam /srv/tls/dh2048.pem;")),
    ("ticket-key-fixed", tls("ssl_session_ticket_key /srv/tls/ticket.key;"), tls("ssl_session_tickets off;")),
    ("client-certificate-unverified", tls("ssl_verify_client optional_no_ca;"), tls("ssl_verify_client off;")),
    ("early-data-replay", tls("ssl_early_data on;"), tls("ssl_early_data on; proxy_set_header Early-Data $ssl_early_data;")),
    (
        "upstream-unverified",
        server("location / { proxy_pass https://203.0.113.7; }"),
        server(
            "location / { proxy_pass https://203.0.113.7; proxy_ssl_verify on; proxy_ssl_trusted_certificate /srv/tls/cert.pem; }",
            "location /near { proxy_pass https://10.0.0.7; }",
        ),
    ),
    (
        "cleartext-only",
        http("server { listen 80; server_name shop.example.org; location / { return 200 ok; } }"),
        http("server { listen 80; server_name shop.example.org; return 301 https://$host$request_uri; }", GOOD),
    ),
    (
        "password-in-clear",
        http('server { listen 80; auth_basic "in"; auth_basic_user_file /srv/users; }'),
        tls('auth_basic "in"; auth_basic_user_file /srv/users;'),
    ),
    ("hsts-missing", bare_tls("add_header X-A b;"), tls("location / { root /srv/www; }")),
    ("hsts-missing", bare_tls(), http(f"server {{ {TLS} return 301 https://www.example.org$request_uri; }}")),
    (
        "hsts-short",
        server('add_header Strict-Transport-Security "max-age=3600";'),
        server('add_header Strict-Transport-Security "max-age=0";'),
    ),
    ("sniffing-allowed", bare_tls(), tls("location / { root /srv/www; }")),
    ("framing-allowed", bare_tls(), tls("location / { root /srv/www; }")),
    ("framing-allowed", bare_tls(), bare_tls("add_header X-Frame-Options DENY;")),
    ("content-policy-missing", bare_tls(), bare_tls("add_header Content-Security-Policy-Report-Only \"default-src 'self'\";")),
    ("headers-lost", tls("location /a { add_header X-A b; }"), tls(f"location /a {{ add_header X-A b; {HEADERS} }}")),
    (
        "foreign-origin-trusted",
        server("add_header Access-Control-Allow-Origin $http_origin; add_header Access-Control-Allow-Credentials true;"),
        server("add_header Access-Control-Allow-Origin https://app.example.org; add_header Access-Control-Allow-Credentials true;"),
    ),
    (
        "origin-check-loose",
        server('if ($http_origin ~ "^https://app.example.org$") { return 204; }'),
        server(r'if ($http_origin ~ "^https://app\.example\.org$") { return 204; }'),
    ),
    (
        "origin-check-loose",
        server(r'if ($http_referer !~ "https://app\.example\.org/") { return 403; }'),
        server(r'if ($http_referer !~ "^https://app\.example\.org/") { return 403; }'),
    ),
    ("no-referer-passes", server("valid_referers none server_names;"), server("valid_referers server_names *.example.org;")),
    ("directory-listing", server("location /f/ { autoindex on; }"), server("location /f/ { autoindex on; allow 10.0.0.0/8; deny all; }")),
    ("version-shown", "events {}\nhttp { server_tokens on; }\n", http()),
    (
        "status-open",
        http("server { listen 80; location /s { stub_status; } }"),
        http("server { listen 80; location /s { stub_status; allow 127.0.0.1; deny all; } }"),
    ),
    ("version-shown", "events {}\nhttp { server { listen 127.0.0.1:1; } }\n", http("server { listen 127.0.0.1:1; }")),
    ("allow-without-deny", server("location /a { allow 10.0.0.0/8; }"), server("location /a { allow 10.0.0.0/8; deny all; }")),
    (
        "allow-without-deny",
        server("allow 10.1.2.3;"),
        server("satisfy any; allow 10.1.2.3; auth_basic in; auth_basic_user_file /srv/users;"),
    ),
    ("control-open", http("server { listen 80; location /api { api write=on; } }"), server("location /api { api write=on; }")),
    (
        "files-writable",
        server("location /d { dav_methods PUT DELETE; }"),
        server("location /d { dav_methods PUT; auth_basic in; auth_basic_user_file /srv/users; }"),
    ),
    ("system-folder-served", server("root /etc;"), server("root /srv/www; location ~ /\\. { deny all; }")),
    ("system-folder-served", server("location /l/ { alias /var/log/; }"), server("location /l/ { alias /var/lib/app/pages/; }")),
    (
        "key-in-document-root",
        http(f"server {{ listen 443 ssl; root /srv/tls; {CERT} }}"),
        http(f"server {{ listen 443 ssl; root /srv/www; {CERT} }}"),
    ),
    ("hidden-files-served", server("root /srv/app;"), server("root /srv/app; location ~ /\\.(?!well-known) { return 404; }")),
    ("hidden-files-served", server("root /srv/app;"), server(r"root /srv/app; location ~ ^/(?:\.|config) { return 404; }")),
    (
        "hidden-files-served",
        server(r"root /srv/app; location ~ /\.ht { deny all; }"),
        server(r"root /srv/app; location ~ /\.git { deny all; }"),
    ),
    ("hidden-files-served", server("root /srv/app;"), server("root /srv/app; location / { proxy_pass http://127.0.0.1:3000; }")),
    ("runs-as-root", "user root;\n" + http(), "user www-data;\n" + http()),
    ("body-unlimited", server("client_max_body_size 0;"), server("client_max_body_size 20m;")),
    ("debug-log", "error_log /srv/e.log debug;\n" + http(), "error_log /srv/e.log warn;\n" + http()),
    (
        "no-catch-all",
        http("server { listen 127.0.0.1:1; server_name a.example.org; }", "server { listen 127.0.0.1:1; server_name b.example.org; }"),
        http("server { listen 127.0.0.1:1; server_name a.example.org; }", "server { listen 127.0.0.1:1 default_server; return 444; }"),
    ),
    ("client-address-forged", server("set_real_ip_from 0.0.0.0/0;"), server("set_real_ip_from 10.1.2.3;")),
    (
        "client-address-forged",
        http("server { listen 80; location / { proxy_set_header X-Real-IP $http_x_forwarded_for; proxy_pass http://127.0.0.1:1; } }"),
        http("server { listen 80; location / { proxy_set_header X-Real-IP $remote_addr; proxy_pass http://127.0.0.1:1; } }"),
    ),
    ("slashes-kept", server("merge_slashes off;"), server("merge_slashes on;")),
    ("odd-headers-passed", server("underscores_in_headers on;"), server("ignore_invalid_headers on;")),
    (
        "uploads-run",
        server(r"location ~ \.php$ { fastcgi_pass 127.0.0.1:9000; }"),
        server(r"location ~ \.php$ { try_files $uri =404; fastcgi_pass 127.0.0.1:9000; }"),
    ),
    (
        "server-side-request",
        server("location /p/ { proxy_pass http://$arg_host; }"),
        server("location /p/ { proxy_pass http://127.0.0.1:3000$request_uri; }"),
    ),
    (
        "server-side-request",
        server("location ~ ^/p/(.*)$ { set $to $1; proxy_pass http://$to; }"),
        server("location ~ ^/p/([a-z]+)$ { set $to $1; proxy_pass http://$to; }"),
    ),
    (
        "server-side-request",
        server("location ~ ^/p/(?<rest>.*)$ { proxy_pass http://static$rest; }"),
        server("location ~ ^/p/(?<rest>.*)$ { internal; proxy_pass http://static$rest; }"),
    ),
    (
        "header-injection",
        server("location /old { return 302 https://a.example.org$uri; }"),
        server("return 302 https://a.example.org$request_uri;"),
    ),
    (
        "header-injection",
        server("location ~ ^/v/([^/]+)/ { add_header X-Version $1; }"),
        server(r"location ~ ^/v/([\w.-]+)/ { add_header X-Version $1; }"),
    ),
    (
        "header-injection",
        server("rewrite ^/n/(?<name>[^/]*)$ https://a.example.org/$name redirect;"),
        server("rewrite ^/n/([^/]*)$ https://a.example.org/$1 redirect;"),
    ),
    ("open-redirect", server("location /go { return 302 $arg_to; }"), server("location /go { return 302 /start?from=$arg_to; }")),
    ("host-forged", server("proxy_set_header Host $http_host;"), server("proxy_set_header Host $host;")),
    ("alias-traversal", server("location /files { alias /srv/files/; }"), server("location /files/ { alias /srv/files/; }")),
    ("alias-neighbours", server("location /files { alias /srv/files; }"), server("location = /robots.txt { alias /srv/robots.txt; }")),
]


@pytest.mark.parametrize(("rule", "bad", "good"), SAMPLES, ids=[f"{row[0]}-{number}" for number, row in enumerate(SAMPLES)])
def test_nginx_rule_finds_the_true_sample_and_not_the_false_one(rule: str, bad: str, good: str) -> None:
    assert rule in rules(NGINX, {"nginx.conf": bad})
    assert rule not in rules(NGINX, {"nginx.conf": good})


def test_nginx_every_rule_has_a_sample() -> None:
    assert {rule for rule, _, _ in SAMPLES} == set(RULES)


def test_nginx_a_good_server_has_no_finding() -> None:
    assert sites(NGINX, {"nginx.conf": http(GOOD, "server { listen 80 default_server; return 444; }")}) == []


@pytest.mark.parametrize("name", RULES)
def test_nginx_data_of_a_rule_is_that_of_the_code(name: str) -> None:
    info = catalogue().rules[f"nginx/{name}"]  # type: ignore[index]
    assert (info.severity, info.confidence) == (RULES[name].severity, RULES[name].confidence)
    assert info.title != name


def test_nginx_a_comment_of_the_line_or_above_it_is_recorded() -> None:
    text = server(
        "location /f/ {\n  autoindex on;  # assay: allow directory-listing\n}\n# assay: allow\nmerge_slashes off;\nclient_max_body_size 0;"
    )
    muted = {each.rule: each.suppression for each in sightings(NGINX, {"nginx.conf": text})}
    assert muted["nginx/directory-listing"] is not None  # type: ignore[index]
    assert muted["nginx/slashes-kept"] is not None  # type: ignore[index]
    assert muted["nginx/body-unlimited"] is None  # type: ignore[index]


FOREIGN = {"control-open": "needs nginx Plus"}


@pytest.mark.parametrize(("rule", "bad", "good"), SAMPLES, ids=[f"{row[0]}-{number}" for number, row in enumerate(SAMPLES)])
def test_nginx_itself_accepts_the_samples(rule: str, bad: str, good: str, tmp_path: Path) -> None:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    openssl = shutil.which("openssl")
    if program is None or openssl is None:
        pytest.skip("NOT PROVED: nginx or openssl is not installed, so the samples were read by our own reader only")
    if rule in FOREIGN:
        pytest.skip(f"the sample {FOREIGN[rule]}")
    folder = tmp_path / "tls"
    folder.mkdir()
    make = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=a"]
    subprocess.run([*make, "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    (folder / "ticket.key").write_bytes(b"t" * 48)
    for bits in ("1024", "2048"):
        (folder / f"dh{bits}.pem").write_text(GROUP_2048, "ascii")
    for text in (bad, good):
        path = tmp_path / "nginx.conf"
        path.write_text("pid nginx.pid;\n" + text.replace("/srv/", f"{tmp_path}/").replace("/etc;", f"{tmp_path};"), "utf-8")
        ran = subprocess.run([program, "-t", "-p", tmp_path, "-c", path], capture_output=True, text=True, check=False)
        missing = "unknown directive" in ran.stderr
        if missing:
            pytest.skip(f"NOT PROVED: this nginx lacks a module: {ran.stderr.strip()[-120:]}")
        assert ran.returncode == 0, ran.stderr
