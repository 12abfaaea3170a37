"""What a rule calls a hole is one: the bad sample runs in the real server on loopback and is exploited, and the good one is not.

Each row is found (bad) and not found (good) by the check, and the probe succeeds (bad) and fails (good). Without the servers: NOT PROVED.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.listening import listening
from tests.webserver.webserver_reading import APACHE, NGINX, rules
from tests.webserver.webserver_truth import MODULES, program

Probe = Callable[[int, int], bool]
"""Whether the hole is there: port of the server, port of a service behind it."""
Row = tuple[str, str, str, Probe]
"""Rule, bad sample, good sample, probe."""


def ask(port: int, path: str, *headers: str, method: str = "GET", body: str = "") -> str:
    """One raw request, so that no client tidies the path; the whole answer."""
    lines = [f"{method} {path} HTTP/1.1", *headers, "Connection: close"]
    if not any(line.startswith("Host:") for line in headers):
        lines.append("Host: app")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        link.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        data = b""
        while piece := link.recv(65536):
            data += piece
    return data.decode("latin-1")


def says(path: str, text: str, *headers: str, method: str = "GET", body: str = "") -> Probe:
    return lambda port, behind: text in ask(port, path.replace("BEHIND", str(behind)), *headers, method=method, body=body)


def lacks(path: str, text: str) -> Probe:
    return lambda port, _: text not in ask(port, path)


def not_asked(path: str, method: str) -> Probe:
    """Whether a request is answered without a demand for a login."""
    return lambda port, _: " 401 " not in ask(port, path, method=method).split("\n", 1)[0]


SITE = "root FOLDER/www;"
OWN = 'add_header Strict-Transport-Security "max-age=63072000";'
PASS = "proxy_pass http://127.0.0.1:BEHIND;"
NGINX_ROWS: list[Row] = [
    (
        "alias-traversal",
        "location /files { alias FOLDER/files/; }",
        "location /files/ { alias FOLDER/files/; }",
        says("/files../secret.txt", "top secret"),
    ),
    (
        "alias-neighbours",
        "location /files { alias FOLDER/files; }",
        "location /files/ { alias FOLDER/files/; }",
        says("/files-old/x.txt", "neighbour"),
    ),
    (
        "header-injection",
        "location /old { return 302 https://a.example.org$uri; }",
        "location /old { return 302 https://a.example.org$request_uri; }",
        says("/old%0d%0aX-Injected:%20yes", "\nX-Injected: yes"),
    ),
    (
        "header-injection",
        'location ~ ^/v/([^/]+)/ { add_header X-Version "$1"; return 204; }',
        r'location ~ ^/v/([^/\s]+)/ { add_header X-Version "$1"; return 204; }',
        says("/v/a%0d%0aX-Injected:%20yes/", "\nX-Injected: yes"),
    ),
    (
        "header-injection",
        "rewrite ^/n/(?<name>[^/]*)$ https://a.example.org/$name redirect;",
        "rewrite ^/n/([^/]*)$ https://a.example.org/$1 redirect;",
        says("/n/a%0d%0aX-Injected:%20yes", "\nX-Injected: yes"),
    ),
    (
        "headers-lost",
        f"{OWN} location /a {{ add_header X-A b; return 204; }}",
        f"{OWN} location /a {{ add_header X-A b; {OWN} return 204; }}",
        lacks("/a", "Strict-"),
    ),
    (
        "directory-listing",
        f"{SITE} location /d/ {{ autoindex on; }}",
        f"{SITE} location /d/ {{ autoindex off; }}",
        says("/d/", "listed.txt"),
    ),
    ("hidden-files-served", SITE, f"{SITE} location ~ /\\. {{ return 404; }}", says("/.env", "KEY=value")),
    (
        "open-redirect",
        "location /go { return 302 $arg_to; }",
        "location /go { return 302 /start; }",
        says("/go?to=https://evil.example", "Location: https://evil.example"),
    ),
    (
        "server-side-request",
        "location /p/ { proxy_pass http://$arg_to/; }",
        f"location /p/ {{ {PASS} }}",
        says("/p/?to=127.0.0.1:BEHIND", "path=/\n"),
    ),
    (
        "slashes-kept",
        f"{SITE} merge_slashes off; location /d/ {{ deny all; }}",
        f"{SITE} merge_slashes on; location /d/ {{ deny all; }}",
        says("//d/listed.txt", "listed text"),
    ),
    (
        "odd-headers-passed",
        f"underscores_in_headers on; location / {{ {PASS} }}",
        f"underscores_in_headers off; location / {{ {PASS} }}",
        says("/", "X_User=admin", "X_User: admin"),
    ),
    (
        "host-forged",
        f"location / {{ proxy_set_header Host $http_host; {PASS} }}",
        f"location / {{ proxy_set_header Host $server_name; {PASS} }}",
        says("/", "Host=evil.example", "Host: evil.example"),
    ),
    (
        "client-address-forged",
        "set_real_ip_from 0.0.0.0/0; location / { allow 10.9.9.9; deny all; return 200 inside; }",
        "set_real_ip_from 10.1.1.1; location / { allow 10.9.9.9; deny all; try_files /none =404; }",
        says("/", " 200 ", "X-Real-IP: 10.9.9.9"),
    ),
    (
        "origin-check-loose",
        'location / { if ($http_origin ~ "^https://app.example.org$") { return 200 trusted; } return 403; }',
        r'location / { if ($http_origin ~ "^https://app\.example\.org$") { return 200 trusted; } return 403; }',
        says("/", "trusted", "Origin: https://appXexample.org"),
    ),
    (
        "no-referer-passes",
        f"{SITE} valid_referers none app; if ($invalid_referer) {{ return 403; }}",
        f"{SITE} valid_referers app; if ($invalid_referer) {{ return 403; }}",
        says("/index.html", "welcome"),
    ),
    ("version-shown", "server_tokens on; return 204;", "server_tokens off; return 204;", says("/", "Server: nginx/")),
    (
        "files-writable",
        f"{SITE} dav_methods PUT;",
        f"{SITE} dav_methods PUT; deny all;",
        says("/new.txt", " 201 ", method="PUT", body="written"),
    ),
    (
        "allow-without-deny",
        f"{SITE} location /d/ {{ allow 10.9.9.9; }}",
        f"{SITE} location /d/ {{ allow 10.9.9.9; deny all; }}",
        says("/d/listed.txt", "listed text"),
    ),
    ("status-open", "location /s { stub_status; }", "location /s { stub_status; deny all; }", says("/s", "Active connections")),
]
APACHE_ROWS: list[Row] = [
    (
        "directory-listing",
        "<Directory FOLDER/www>\nOptions Indexes\n</Directory>",
        "<Directory FOLDER/www>\nOptions -Indexes\n</Directory>",
        says("/d/", "listed.txt"),
    ),
    ("hidden-files-served", "", '<FilesMatch "^\\.">\nRequire all denied\n</FilesMatch>', says("/.env", "KEY=value")),
    (
        "htaccess-served",
        "<Directory FOLDER/www>\nAllowOverride AuthConfig\n</Directory>",
        '<FilesMatch "^\\.ht">\nRequire all denied\n</FilesMatch>\n<Directory FOLDER/www>\nAllowOverride AuthConfig\n</Directory>',
        says("/.htpasswd", "user:hash"),
    ),
    ("trace-enabled", "TraceEnable on", "TraceEnable off", says("/", "Cookie: session=1", "Cookie: session=1", method="TRACE")),
    ("version-shown", "ServerTokens OS", "ServerTokens Prod", says("/", "Server: Apache/2")),
    (
        "status-open",
        "<Location /s>\nSetHandler server-status\n</Location>",
        "<Location /s>\nSetHandler server-status\nRequire ip 10.9.9.9\n</Location>",
        says("/s", "Apache Server Status"),
    ),
    (
        "limit-trap",
        "<Location /d>\nAuthType Basic\nAuthName a\nAuthUserFile FOLDER/users\n<Limit GET POST>\nRequire valid-user\n</Limit>\n</Location>",
        "<Location /d>\nAuthType Basic\nAuthName a\nAuthUserFile FOLDER/users\nRequire valid-user\n</Location>",
        not_asked("/d/listed.txt", "DELETE"),
    ),
    (
        "overrides-allowed",
        "<Directory FOLDER/www>\nAllowOverride All\n</Directory>",
        "<Directory FOLDER/www>\nAllowOverride None\n</Directory>",
        says("/o/", "X-By-Htaccess: yes"),
    ),
    (
        "file-system-open",
        "<Directory />\nRequire all granted\nOptions FollowSymLinks\n</Directory>\nAlias /x FOLDER",
        "<Directory />\nRequire all denied\n</Directory>\n<Directory FOLDER/www>\nRequire all granted\n</Directory>\nAlias /x FOLDER",
        says("/x/secret.txt", "top secret"),
    ),
    (
        "uploads-run",
        "<Directory FOLDER/www>\nOptions +ExecCGI\n</Directory>\nAddHandler cgi-script .cgi",
        '<Directory FOLDER/www>\nOptions +ExecCGI\n</Directory>\n<FilesMatch "\\.cgi$">\nSetHandler cgi-script\n</FilesMatch>',
        says("/picture.cgi.jpg", "program ran"),
    ),
    (
        "programs-in-pages",
        "<Directory FOLDER/www>\nOptions +Includes\n</Directory>\nAddOutputFilter INCLUDES .shtml",
        "<Directory FOLDER/www>\nOptions +IncludesNOEXEC\n</Directory>\nAddOutputFilter INCLUDES .shtml",
        says("/page.shtml", "executed 42"),
    ),
    (
        "server-side-request",
        "RewriteEngine on\nRewriteRule ^/p/(.*) http://$1 [P]",
        "RewriteEngine on\nRewriteRule ^/p/(.*) http://127.0.0.1:BEHIND/fixed/$1 [P]",
        says("/p/127.0.0.1:BEHIND/chosen", "path=/chosen\n"),
    ),
    (
        "server-side-request",
        "RewriteEngine on\nRewriteRule ^/i(.*)$ http://127.0.0.1$1 [P]",
        "RewriteEngine on\nRewriteRule ^/i(.*)$ http://127.0.0.1:BEHIND/in$1 [P]",
        says("/i:BEHIND/chosen", "path=/chosen\n"),
    ),
    ("forward-proxy-open", "ProxyRequests On", "ProxyRequests Off", says("http://127.0.0.1:BEHIND/chosen", "path=/chosen\n")),
    (
        "open-redirect",
        "RewriteEngine on\nRewriteCond %{QUERY_STRING} to=(.*)\nRewriteRule ^/go$ %1 [R,L]",
        "RewriteEngine on\nRewriteRule ^/go$ /start [R,L]",
        says("/go?to=https://evil.example/", "Location: https://evil.example/"),
    ),
    (
        "client-address-forged",
        "RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 0.0.0.0/1\n<Location /d>\nRequire ip 203.0.113.9\n</Location>",
        "RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 10.1.1.1\n<Location /d>\nRequire ip 203.0.113.9\n</Location>",
        says("/d/listed.txt", "listed text", "X-Forwarded-For: 203.0.113.9"),
    ),
    (
        "slashes-kept",
        "MergeSlashes Off\n<LocationMatch ^/d/l>\nRequire all denied\n</LocationMatch>",
        "MergeSlashes On\n<LocationMatch ^/d/l>\nRequire all denied\n</LocationMatch>",
        says("/d//listed.txt", "listed text"),
    ),
    (
        "files-writable",
        "DavLockDB FOLDER/lock\n<Location />\nDav On\n</Location>",
        "DavLockDB FOLDER/lock\n<Location />\nDav On\nRequire ip 10.9.9.9\n</Location>",
        says("/new.txt", " 201 ", method="PUT", body="written"),
    ),
    (
        "lenient-parsing",
        "HttpProtocolOptions Unsafe",
        "HttpProtocolOptions Strict",
        says("/index.html", "welcome", "Host: app", "bad\x01name: x"),
    ),
]


class Echo(http.server.BaseHTTPRequestHandler):
    """The service behind: says what it was asked."""

    def do_GET(self) -> None:
        body = f"path={self.path}\n" + "".join(f"{name}={value}\n" for name, value in self.headers.items())
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        pass


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    with listening(Echo) as port:
        yield port


@pytest.fixture
def site() -> Iterator[Path]:
    """Pages that the servers' own account can read."""
    folder = Path(tempfile.mkdtemp(prefix="site"))
    files = {
        "secret.txt": "top secret\n",
        "files/a.txt": "a\n",
        "files-old/x.txt": "neighbour\n",
        "www/index.html": "welcome\n",
        "www/.env": "KEY=value\n",
        "www/.htpasswd": "user:hash\n",
        "www/d/listed.txt": "listed text\n",
        "www/o/.htaccess": "Header set X-By-Htaccess yes\n",
        "www/o/index.html": "overridden\n",
        "www/picture.cgi.jpg": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nprogram %s\\n' ran\n",
        "www/page.shtml": '<!--#exec cmd="echo executed $((6*7))" -->\n',
        "users": "",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def running(words: list[str], port: int) -> Iterator[None]:
    """A server in the foreground, ended by its id."""
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ))
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert server.poll() is None, server.stderr.read().decode() if server.stderr else ""
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.communicate(timeout=30)


def filled(text: str, site: Path, behind: int) -> str:
    return text.replace("FOLDER", str(site)).replace("BEHIND", str(behind))


def nginx_text(lines: str, site: Path, port: int) -> str:
    """As the check sees it: a server that listens on the network."""
    temporary = "".join(f" {name}_temp_path {site}/tmp;" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    tokens = "" if "server_tokens" in lines else "server_tokens off;"
    return (
        f"daemon off; pid {site}/pid; error_log {site}/error.log; {'user root;' if os.geteuid() == 0 else ''}\nevents {{}}\n"
        f"http {{ access_log off; {temporary} {tokens}\nserver {{ listen {port}; server_name app;\n{lines}\n}} }}\n"
    )


def ids(rows: list[Row]) -> list[str]:
    return [f"{row[0]}-{number}" for number, row in enumerate(rows)]


@pytest.mark.parametrize("row", NGINX_ROWS, ids=ids(NGINX_ROWS))
def test_nginx_the_hole_is_there_and_the_advice_closes_it(row: Row, site: Path, behind: int) -> None:
    rule, bad, good, probe = row
    nginx = program("nginx")
    if nginx is None:
        pytest.skip("NOT PROVED: nginx is not installed")
    for lines, hole in ((bad, True), (good, False)):
        port = free_port()
        text = nginx_text(filled(lines, site, behind), site, port)
        (site / "nginx.conf").write_text(text, "utf-8")
        assert (rule in rules(NGINX, {"nginx.conf": text})) is hole
        with running([nginx, "-c", str(site / "nginx.conf"), "-p", str(site), "-e", str(site / "error.log")], port):
            assert probe(port, behind) is hole


LOADED = [
    *(
        "mpm_event",
        "authz_core",
        "authz_host",
        "authz_user",
        "authn_core",
        "authn_file",
        "auth_basic",
        "alias",
        "headers",
        "rewrite",
        "proxy",
    ),
    *("proxy_http", "status", "dav", "dav_fs", "include", "autoindex", "mime", "remoteip", "dir", "cgid"),
]


def apache_text(lines: str, site: Path, port: int) -> str:
    modules = "\n".join(f"LoadModule {each}_module {MODULES}/mod_{each}.so" for each in LOADED)
    account = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
    outside, inside = (lines, "") if lines.startswith("ServerTokens") else ("", lines)
    return (
        f"ServerRoot {site}\nServerName app\nPidFile {site}/pid\nErrorLog {site}/error.log\nListen 127.0.0.1:{port}\n{account}{modules}\n"
        f"TypesConfig /dev/null\nScriptSock {site}/cgi\nAddType text/html .html .shtml\nDirectoryIndex index.html\n{outside}\n"
        f"<VirtualHost *:{port}>\nServerName app\nDocumentRoot {site}/www\n{inside}\n</VirtualHost>\n"
    )


@pytest.mark.parametrize("row", APACHE_ROWS, ids=ids(APACHE_ROWS))
def test_apache_the_hole_is_there_and_the_advice_closes_it(row: Row, site: Path, behind: int) -> None:
    rule, bad, good, probe = row
    apache = program("apache2")
    if apache is None or any(not (MODULES / f"mod_{each}.so").exists() for each in LOADED):
        pytest.skip("NOT PROVED: apache2 is not installed, or lacks a module")
    for lines, hole in ((bad, True), (good, False)):
        port = free_port()
        text = apache_text(filled(lines, site, behind), site, port)
        (site / "httpd.conf").write_text(text, "utf-8")
        assert (rule in rules(APACHE, {"httpd.conf": text})) is hole
        with running([apache, "-D", "FOREGROUND", "-f", str(site / "httpd.conf")], port):
            assert probe(port, behind) is hole
