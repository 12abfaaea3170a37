"""Web servers' settings, the seam of the platform layer: seen through the command, as the servers read them, whole or with a reason.

Truth: nginx and Apache as Debian packages them. Where they are not installed, the comparison is NOT PROVED and says so.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from acceptance.harness import Shell, gaps, has_reason, weaknesses
from tests.webserver.webserver_reading import APACHE, NGINX, sightings
from tests.webserver.webserver_truth import MODULES, assembled, dumped, environment, program, tree_below

NGINX_MAIN = "events {}\nhttp {\n  server_tokens off;\n  include /etc/nginx/conf.d/*.conf;\n}\n"
SERVER = """server {{
  listen 127.0.0.1:8443 ssl;
  server_name {name}.example.org;
  ssl_protocols {protocols};
  add_header Strict-Transport-Security "max-age=63072000" always;
  location {location} {{ alias /srv/{name}/; }}
}}
"""
GOOD = SERVER.format(name="shop", protocols="TLSv1.2 TLSv1.3", location="/files/")
BAD = SERVER.format(name="shop", protocols="TLSv1.1 TLSv1.2 TLSv1.3", location="/files")
APACHE_MAIN = 'ServerRoot "/etc/httpd"\nTraceEnable off\nIncludeOptional sites/*.conf\n'
HOST = "<VirtualHost *:8443>\n  ServerName shop.example.org\n  SSLEngine on\n  SSLProtocol {protocols}\n</VirtualHost>\n"


def serious(report: dict[str, object]) -> set[tuple[str, str]]:
    return {
        (str(row["witnesses"][0]["rule"]), str(row["place"]["path"]))
        for row in weaknesses(report)
        if row["severity"] in {"medium", "high", "critical"}
    }


def test_a_change_that_weakens_a_server_stops_and_its_repair_passes(shell: Shell, tmp_path: Path) -> None:
    files = {
        "nginx/nginx.conf": NGINX_MAIN,
        "nginx/conf.d/shop.conf": GOOD,
        "httpd/httpd.conf": APACHE_MAIN,
        "httpd/sites/shop.conf": HOST.format(protocols="-all +TLSv1.3"),
    }
    folder = shell.repository(tmp_path / "work", files)
    (folder / "nginx/conf.d/shop.conf").write_text(BAD, "utf-8")
    (folder / "httpd/sites/shop.conf").write_text(HOST.format(protocols="all"), "utf-8")
    shell.git("commit", "-qam", "weaken", folder=folder)
    report = shell.check("HEAD~1..HEAD", folder=folder)
    assert report["verdict"]["outcome"] == "fail"
    assert serious(report) == {
        ("nginx/weak-protocol", "nginx/conf.d/shop.conf"),
        ("nginx/alias-traversal", "nginx/conf.d/shop.conf"),
        ("apache/weak-protocol", "httpd/sites/shop.conf"),
    }
    assert {row["layer"] for row in weaknesses(report)} == {"platform"}
    (folder / "nginx/conf.d/shop.conf").rename(folder / "nginx/conf.d/renamed.conf")
    shell.git("add", "-A", folder=folder)
    shell.git("commit", "-qam", "rename", folder=folder)
    assert shell.check("HEAD~1..HEAD", folder=folder)["verdict"]["outcome"] == "pass", "a moved server is nothing new"
    (folder / "nginx/conf.d/renamed.conf").write_text(GOOD, "utf-8")
    (folder / "httpd/sites/shop.conf").write_text(HOST.format(protocols="-all +TLSv1.2 +TLSv1.3"), "utf-8")
    shell.git("commit", "-qam", "repair", folder=folder)
    assert shell.check("HEAD~3..HEAD", folder=folder)["verdict"]["outcome"] == "pass"


def test_apache_is_read_directive_by_directive_as_the_server_dumps_it(tmp_path: Path) -> None:
    config = Path("/etc/apache2/apache2.conf")
    if program("apache2") is None or not config.exists() or not (MODULES / "mod_info.so").exists():
        pytest.skip("NOT PROVED: Debian's apache2 is not installed")
    run = environment() | {"APACHE_RUN_DIR": str(tmp_path)}
    theirs = dumped(config, run)
    assert assembled(tree_below(config.parent), run) == theirs
    print(f"{len(theirs)} directives equal")


@pytest.mark.parametrize(("folder", "check"), [("/etc/nginx", NGINX), ("/etc/apache2", APACHE)], ids=["nginx", "apache"])
def test_what_a_distribution_ships_is_read_whole_and_calmly(folder: str, check: object) -> None:
    if not Path(folder).is_dir():
        pytest.skip(f"NOT PROVED: {folder} is not here")
    found = sightings(check, tree_below(Path(folder)))  # type: ignore[arg-type]
    assert [each for each in found if each.rule.endswith("/unchecked")] == []
    assert len(found) <= 5


def test_bombs_broken_and_missing_files_are_gaps_with_reasons_beside_findings(shell: Shell, tmp_path: Path) -> None:
    files = {
        "nginx/nginx.conf": NGINX_MAIN.replace("include", "include gone.conf; include", 1),
        "nginx/conf.d/good.conf": BAD,
        "nginx/conf.d/cut.conf": "server { listen 127.0.0.1:1; location / {",
        "nginx/conf.d/deep.conf": "a {" * 5_000,
        "nginx/conf.d/binary.conf": "server {\0}",
        "bomb/nginx.conf": "events {} http { include f0.conf; }",
        **{f"bomb/f{n}.conf": f"include f{n + 1}.conf; " * 9 for n in range(12)},
        "httpd/httpd.conf": APACHE_MAIN + "<IfModule x>\n" * 1_000,
        "httpd/sites/a.conf": "<VirtualHost *:80>\nServerName a\nTraceEnable on\n</VirtualHost>\n",
    }
    report = shell.check("--all", folder=shell.repository(tmp_path / "work", files), seconds=120)
    reasons = {row["place"]["path"] for row in gaps(report)}
    assert reasons >= {f"nginx/{name}" for name in ("nginx.conf", "conf.d/cut.conf", "conf.d/deep.conf", "conf.d/binary.conf")}
    assert "bomb/nginx.conf" in reasons
    assert "httpd/httpd.conf" in reasons
    assert all(has_reason(row) for row in gaps(report))
    found = {row["witnesses"][0]["rule"] for row in weaknesses(report)}
    assert {"nginx/alias-traversal", "nginx/weak-protocol", "apache/trace-enabled"} <= found


def test_twenty_servers_cost_milliseconds() -> None:
    tree = {"nginx/nginx.conf": NGINX_MAIN.encode()}
    tree |= {f"nginx/conf.d/s{n}.conf": BAD.replace("shop", f"shop{n}").encode() for n in range(20)}
    sightings(NGINX, tree)
    start = time.perf_counter()
    found = sightings(NGINX, tree)
    took = time.perf_counter() - start
    assert len([each for each in found if each.rule == "nginx/alias-traversal"]) == 20
    print(f"20 servers in {took * 1000:.0f} ms")
    assert took < 0.25
