"""Our readers against the servers: the same effective configuration, the same files, and calm about what distributions ship."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.webserver.webserver_reading import APACHE, NGINX, sightings
from tests.webserver.webserver_truth import MODULES, assembled, dumped, environment, nginx_reads, program, tree_below

from assaymark.checks.platform.webserver.nginx_files import read_all
from assaymark.checks.platform.webserver.nginx_model import assemble
from assaymark.model.check import Part
from assaymark.model.severity import Severity

needs_apache = pytest.mark.skipif(
    program("apache2") is None or not (MODULES / "mod_info.so").exists(), reason="NOT PROVED: apache2 with mod_info is not installed"
)
needs_nginx = pytest.mark.skipif(program("nginx") is None, reason="NOT PROVED: nginx is not installed")
debian_apache = pytest.mark.skipif(not Path("/etc/apache2/apache2.conf").exists(), reason="NOT PROVED: Debian's configuration is not here")
debian_nginx = pytest.mark.skipif(not Path("/etc/nginx/nginx.conf").exists(), reason="NOT PROVED: Debian's configuration is not here")


@needs_apache
@debian_apache
def test_apache_debians_configuration_is_read_as_the_server_reads_it(tmp_path: Path) -> None:
    run = environment() | {"APACHE_RUN_DIR": str(tmp_path)}
    theirs = dumped(Path("/etc/apache2/apache2.conf"), run)
    assert len(theirs) > 100
    assert assembled(tree_below(Path("/etc/apache2")), run) == theirs


SAMPLE = """
ServerRoot "{root}"
ServerName localhost
PidFile {root}/pid
ErrorLog {root}/error.log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule macro_module {modules}/mod_macro.so
LoadModule alias_module {modules}/mod_alias.so
Define PORT 8099
Define SITES "{root}/sites"
Listen ${{port}}
# a comment that goes on \\
ServerAdmin nobody@example.org
ServerAdmin "a b \\"q\\" c"
<IfModule ssl_module>
  Timeout 1
</IfModule>
<IfModule !ssl_module>
  Timeout 2
</IfModule>
<IfModule mod_authz_core.c>
  KeepAlive \\
    Off
</IfModule>
<IfDefine PORT>
  UnDefine PORT
  TraceEnable off
</IfDefine>
<IfDefine PORT>
  TraceEnable on
</IfDefine>
<IfDefine !NOTHING>
  MaxKeepAliveRequests 5
</IfDefine>
<IfVersion >= 2.4>
  MaxKeepAliveRequests 7
</IfVersion>
<IfVersion < 2.4>
  MaxKeepAliveRequests 9
</IfVersion>
<Macro Site $name $port>
  <VirtualHost *:$port>
    ServerName $name
    Use Log $name
  </VirtualHost>
</Macro>
<Macro Log $name>
  LogLevel info
  ServerAdmin webmaster@$name
</Macro>
Use Site a.example.org 8098
Use Site b.example.org 8097
Include ${{SITES}}/*.conf
IncludeOptional nowhere/*.conf
Include more
"""


@needs_apache
def test_apache_includes_conditions_variables_and_macros_mean_what_they_mean_to_the_server(tmp_path: Path) -> None:
    files = {
        "sites/10-b.conf": "<VirtualHost *:8099>\nServerName b\n"
        '<Directory "/srv/a b">\nRequire all granted\nOptions +Indexes\n</Directory>\n</VirtualHost>\n',
        "sites/05-a.conf": "<Location /x>\n  Require all denied\n</Location>\nAlias /y /srv/y\n",
        "sites/readme.txt": "not read\n",
        "more/z.conf": "Timeout 30\n",
        "more/a.conf": "Timeout 20\nInclude sites/05-a.conf\n",
        "httpd.conf": SAMPLE.format(root=tmp_path, modules=MODULES),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    tree = {f"{str(tmp_path)[1:]}/{name}": text.encode() for name, text in files.items()}
    theirs = dumped(tmp_path / "httpd.conf", {})
    assert ("<virtualhost>", ("*:8097",)) in {(name, args) for _, name, args in theirs}
    assert assembled(tree, {}) == theirs


@needs_nginx
@debian_nginx
def test_nginx_reads_the_files_that_the_server_reads() -> None:
    tree = tree_below(Path("/etc/nginx"))
    config = assemble(read_all([Part(name, content) for name, content in tree.items() if NGINX.select(name)]))
    main = next(root for root in config.roots if root.kind == "main")
    ours = {entry.member for scope in main.below() for entry in scope.entries} | {
        scope.opened.member for scope in main.below() if scope.opened
    }
    theirs = nginx_reads(Path("/etc/nginx/nginx.conf"))
    assert len(theirs) > 1
    assert ours == {str(Path("/", name).relative_to("/")) for name in theirs}


@debian_nginx
def test_nginx_what_debian_ships_is_read_whole_and_raises_few_findings() -> None:
    found = sightings(NGINX, tree_below(Path("/etc/nginx")))
    assert [each.message for each in found if each.rule == "nginx/unchecked"] == []
    assert len(found) <= 5
    assert [each.rule for each in found if each.severity.rank > Severity.MEDIUM.rank] == []


@debian_apache
def test_apache_what_debian_ships_is_read_whole_and_raises_few_findings() -> None:
    found = sightings(APACHE, tree_below(Path("/etc/apache2")))
    assert [each.message for each in found if each.rule == "apache/unchecked"] == []
    assert len(found) <= 5
    assert [each.rule for each in found if each.severity.rank > Severity.MEDIUM.rank] == []
