"""What the readers understand, what they refuse, and where included files are looked for."""

from __future__ import annotations

import base64
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.webserver.webserver_reading import APACHE, GROUP_2048, NGINX, Tree, gap, outcome, rules, sightings, sites

from assaymark.checks.platform.webserver import apache_reader, nginx_reader
from assaymark.checks.platform.webserver.dh_parameters import bits_of
from assaymark.checks.platform.webserver.layout import Layout
from assaymark.checks.platform.webserver.profile import admitted, profile, suites, weak
from assaymark.checks.platform.webserver.regex_groups import groups
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.check import Checked
from assaymark.model.finding import UncheckedSite

# --- cipher strings --------------------------------------------------------------------------------------------------

STRINGS = [
    "HIGH:!aNULL:!MD5",
    "ALL",
    "DEFAULT",
    "ALL:!aNULL",
    "ECDHE+AESGCM:ECDHE+CHACHA20",
    "EECDH+AESGCM:EDH+AESGCM",
    "HIGH",
    "kRSA",
    "aRSA",
    "PSK",
    "RSA",
    "DH",
    "SHA1",
    "SHA256",
    "TLSv1.2",
    "SSLv3",
    "TLSv1.0",
    "COMPLEMENTOFDEFAULT",
    "COMPLEMENTOFALL:eNULL",
    "aNULL",
    "eNULL",
    "AES128",
    "CAMELLIA",
    "ECDH",
    "ECDHE",
    "AECDH",
    "kECDHE",
    "DEFAULT:-kRSA",
    "HIGH:-AES:AES128:!kRSA",
    "AESCCM",
    "ARIA",
    "aDSS:AES",
    "kDHEPSK",
    "SRP",
    "aPSK",
    "ECDSA",
    "AESGCM",
    "CHACHA20",
    "SHA384",
    "SHA",
    "DHE",
    "EDH",
    "ADH",
    "AES",
    "ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA",
    "ALL:!aNULL:!eNULL:!EXP",
    "HIGH:!kRSA:!SHA1:+AES128",
    "ALL:!ADH:!EXPORT:RC4+RSA:+HIGH:+MEDIUM:!eNULL",
]


@pytest.mark.parametrize("text", STRINGS)
def test_a_cipher_string_admits_what_the_installed_openssl_says(text: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    both = {row["name"] for row in context.get_ciphers()} & {each.name for each in suites()}
    assert len(both) > 100
    context.set_ciphers(f"{text}:@SECLEVEL=0")
    theirs = {row["name"] for row in context.get_ciphers()} & both
    assert {each.name for each in admitted(text)[0]} & both == theirs


def test_a_cipher_string_that_forbids_is_never_undone() -> None:
    assert weak(admitted("!RC4:ALL:RC4:!aNULL:!3DES:!DES:!EXP:!IDEA:!SEED:!RC2:!MD5")[0]) == []
    assert "RC4" in weak(admitted("ALL:!aNULL")[0])
    assert admitted("HIGH:NO-SUCH-WORD")[1] == ("NO-SUCH-WORD",)


def test_the_profile_names_suites_that_exist_and_are_good() -> None:
    known = {each.name: each for each in suites()}
    assert all(known[name].exchange == "ECDH" and known[name].mac == "AEAD" for name in profile().intermediate.suites)
    assert weak(known[name] for name in profile().intermediate.suites) == []


# --- Diffie-Hellman parameters ---------------------------------------------------------------------------------------


def parameters(bits: int) -> str:
    """A file with a number of so many bits; whether it is a prime is of no interest here."""
    prime = b"\0" + ((1 << bits) - 1).to_bytes(bits // 8, "big")
    number = b"\x02\x82" + len(prime).to_bytes(2, "big") + prime + b"\x02\x01\x02"
    text = base64.b64encode(b"\x30\x82" + len(number).to_bytes(2, "big") + number).decode()
    return f"-----BEGIN DH PARAMETERS-----\n{text}\n-----END DH PARAMETERS-----\n"


def test_the_length_of_dh_parameters_is_read_from_the_file() -> None:
    assert bits_of(GROUP_2048) == 2048
    assert bits_of(parameters(1024)) == 1024
    assert [bits_of(text) for text in ("", "x", GROUP_2048.replace("MIIBCAKC", "MIIBCA//"), GROUP_2048.replace("MIIB", "M*"))] == [None] * 4
    nginx = {"nginx.conf": "events {} http { ssl_dhparam /etc/nginx/dhparam.pem; }"}
    apache = {"httpd.conf": 'ServerRoot /x\nSSLOpenSSLConfCmd DHParameters "/etc/tls/dhparam.pem"\n'}
    for check, files in ((NGINX, nginx), (APACHE, apache)):
        assert "weak-dh-parameters" in rules(check, files | {"tls/dhparam.pem": parameters(1024)})
        assert "weak-dh-parameters" not in rules(check, files | {"tls/dhparam.pem": GROUP_2048})


# --- nginx -----------------------------------------------------------------------------------------------------------


def test_nginx_words_quotes_comments_and_lua_are_read() -> None:
    text = (
        '# one\nhttp { # two\n  log_format a \'$x "y" {;}\' "b\\"c";\n'
        '  content_by_lua_block { local t = "}" -- }\n  }\n  set $a "${b}c"; map $x $y { default 1; }\n}\n'
    )
    (http,) = nginx_reader.read(text, "m")
    assert http.block is not None
    assert [each.name for each in http.block] == ["log_format", "content_by_lua_block", "set", "map"]
    assert http.block[0].args == ("a", '$x "y" {;}', 'b"c')
    assert http.block[2].args == ("$a", "${b}c")
    assert (http.block[0].span.start_line, http.block[0].span.start_column) == (3, 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http {", "not closed"),
        ("http { } }", "was not opened"),
        ("http { a b }", "not ended by a semicolon"),
        ("a b", "not ended by a semicolon"),
        ("a 'b;\n", "does not end"),
        ("a b; c", "not ended by a semicolon"),
        ("{ a b; }", "without a name"),
        ("server {\n  listen 80\n  server_name a;\n}", "is not ended by a semicolon"),
        ("server { listen {{ port }}; }", "template"),
        ("content_by_lua_block x;", "Lua"),
        ("a {" * 61 + "}" * 61, "nested deeper"),
    ],
)
def test_nginx_what_does_not_close_is_refused_with_a_line(text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as refused:
        nginx_reader.read(text, "m")
    assert refused.value.line > 0


def test_nginx_a_broken_file_is_a_gap_and_the_others_are_judged() -> None:
    tree: Tree = {
        "nginx/nginx.conf": "events {} http { include conf.d/*.conf; }",
        "nginx/conf.d/a.conf": "server { autoindex on;",
        "nginx/conf.d/b.conf": "server { merge_slashes off; }",
    }
    found = sightings(NGINX, tree)
    assert [(each.member, each.rule) for each in found] == [
        ("nginx/conf.d/a.conf", "nginx/unchecked"),
        ("nginx/conf.d/b.conf", "nginx/slashes-kept"),
    ]
    assert isinstance(found[0].site, UncheckedSite)
    assert found[0].site.reason_class == "syntax"


def test_nginx_an_include_that_is_not_there_is_a_gap_and_nothing_is_called_missing_beside_it() -> None:
    text = "events {} http { server { listen 443 ssl; include snippets/headers.conf; } }"
    assert sites(NGINX, {"nginx.conf": text}) == [("nginx/unchecked", "include headers.conf", "missing")]
    assert sites(NGINX, {"nginx.conf": "events {} http { server_tokens off; include mime.types; include sites-enabled/*; }"}) == []
    assert "hsts-missing" in rules(NGINX, {"nginx.conf": text, "snippets/headers.conf": "add_header X-A b;\n"})


@pytest.mark.parametrize(
    "tree",
    [
        ("etc/nginx/nginx.conf", "/etc/nginx/sites-enabled/*", "etc/nginx/sites-enabled/shop"),
        ("etc/nginx/nginx.conf", "/etc/nginx/sites-enabled/*", "etc/nginx/sites-available/shop"),
        ("nginx.conf", "conf.d/*.conf", "conf.d/shop.conf"),
        ("docker/nginx/nginx.conf", "/etc/nginx/conf.d/*.conf", "docker/nginx/conf.d/shop.conf"),
        ("docker/nginx/nginx.conf", "/etc/nginx/conf.d/*.conf", "docker/conf.d/shop.conf"),
        ("rootfs/etc/nginx/nginx.conf", "/opt/app/web.conf", "rootfs/opt/app/web.conf"),
    ],
)
def test_nginx_an_include_finds_its_file(tree: tuple[str, str, str]) -> None:
    main, pattern, included = tree
    files = {main: f"events {{}} http {{ ssl_ciphers x; include {pattern}; }}", included: "server { listen 443 ssl; root /srv; }"}
    assert "hsts-missing" in rules(NGINX, files), "only a server whose surroundings are known is told what it lacks"


def test_nginx_two_parts_of_a_path_count_only_when_one_folder_has_them() -> None:
    layout = Layout(["a/conf.d/x.conf", "b/conf.d/y.conf"], ())
    assert layout.find("/etc/nginx/conf.d/*.conf", "c") == ()
    assert Layout(["a/conf.d/x.conf"], ()).find("/etc/nginx/conf.d/*.conf", "c") == ("a/conf.d/x.conf",)


def test_nginx_a_snippet_that_many_include_is_one_finding() -> None:
    servers = "".join(f"server {{ listen {8000 + n}; include php.conf; }}" for n in range(5))
    tree = {"nginx.conf": f"events {{}} http {{ {servers} }}", "php.conf": "location /f { autoindex on; }"}
    assert [site for site in sites(NGINX, tree) if site[0] == "nginx/directory-listing"] == [
        ("nginx/directory-listing", "location /f", "autoindex")
    ]


def test_nginx_files_that_include_each_other_end() -> None:
    tree = {"nginx.conf": "events {} http { include a.conf; }", "a.conf": "include b.conf;", "b.conf": "include a.conf; server_tokens on;"}
    assert rules(NGINX, tree) == {"version-shown"}


def test_nginx_includes_that_unfold_without_end_are_a_gap() -> None:
    tree = {"nginx.conf": "events {} http { include f0.conf; }"}
    tree |= {f"f{n}.conf": f"include f{n + 1}.conf; " * 9 for n in range(12)}
    (only,) = sightings(NGINX, tree | {"f12.conf": "sendfile on;"})
    assert isinstance(only.site, UncheckedSite)
    assert only.site.reason_class == "complexity"


@pytest.mark.parametrize(
    ("path", "chosen"),
    [
        ("nginx.conf", True),
        ("deploy/nginx/snippets/tls", True),
        ("etc/nginx/sites-enabled/shop", True),
        ("conf/any.conf", True),
        ("nginx/Dockerfile", False),
        ("nginx/README.md", False),
        ("nginx/cert.pem", False),
        ("src/main.c", False),
    ],
)
def test_nginx_files_are_chosen_by_name(path: str, *, chosen: bool) -> None:
    assert (NGINX.select(path) is not None) is chosen


def test_a_tree_of_other_programs_is_skipped() -> None:
    others = {
        "a.conf": "[main]\nx = 1\n",
        "b.conf": 'options { directory "/var"; };\n',
        "fonts.conf": "<?xml version='1.0'?><fontconfig/>\n",
    }
    for check in (NGINX, APACHE):
        assert outcome(check, others) == Checked(skipped="other-format")


# --- groups of regular expressions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regex", "hosts", "lines"),
    [
        ("^/(.*)$", True, False),
        ("^/([^/]+)/", True, True),
        ("^/([a-z]+)", False, False),
        ("^/(a|b)", False, False),
        (r"^/([^/\s]+)", True, False),
    ],
)
def test_a_group_tells_what_fits_into_it(regex: str, hosts: bool, lines: bool) -> None:
    group = groups(regex)["1"]
    assert (group.hosts, group.lines) == (hosts, lines)


def test_groups_are_counted_as_regular_expressions_do() -> None:
    assert set(groups(r"^/(?:x)(?<name>a)[(](b)\((c)")) == {"1", "name", "2", "3"}


# --- Apache ----------------------------------------------------------------------------------------------------------


def test_apache_lines_words_and_sections_are_read() -> None:
    text = 'ServerAdmin "a \\"b\\" c" d\\\n e\n# comment \\\nListen 1\n<Directory "/a b">\n\tOptions\tNone\n</directory>\n'
    admin, directory = apache_reader.read(text, "m")
    assert (admin.name, admin.args) == ("serveradmin", ('a "b" c', "d", "e"))
    assert (directory.name, directory.args) == ("directory", ("/a b",))
    assert directory.block is not None
    assert (directory.block[0].name, directory.block[0].args, directory.block[0].span.start_column) == ("options", ("None",), 2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<Directory /x>\n", "not closed"),
        ("</Directory>\n", "not open"),
        ("<A>\n<B>\n</A>\n</B>\n", "the open one is <b>"),
        ("<Directory /x\n", "no closing bracket"),
        ("Listen {{ port }}\n", "template"),
        ("<A>\n" * 61, "nested deeper"),
    ],
)
def test_apache_what_does_not_close_is_refused_with_a_line(text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as refused:
        apache_reader.read(text, "m")
    assert refused.value.line > 0


@pytest.mark.parametrize(
    ("condition", "counts"),
    [
        ("IfModule mod_ssl.c", True),
        ("IfModule !mod_ssl.c", True),
        ("IfModule mod_authz_core.c", True),
        ("IfModule !mod_authz_core.c", False),
        ("IfVersion < 2.4", False),
        ("IfVersion >= 2.4", True),
        ("IfVersion >= 2.4.30", True),
        ("IfDefine UNKNOWN", True),
        ("IfDefine !KNOWN", False),
    ],
)
def test_apache_a_condition_counts_unless_the_tree_decides_it(condition: str, counts: bool) -> None:
    name = condition.partition(" ")[0]
    text = f"ServerRoot /srv\nDefine KNOWN\n<{condition}>\nTraceEnable on\n</{name}>\n"
    assert ("trace-enabled" in rules(APACHE, {"httpd.conf": text})) is counts


def test_apache_a_tree_that_loads_its_modules_decides_conditions() -> None:
    text = "ServerRoot /srv\nLoadModule rewrite_module x.so\n<IfModule ssl_module>\nTraceEnable on\n</IfModule>\n"
    assert rules(APACHE, {"httpd.conf": text}) == set()
    assert rules(APACHE, {"httpd.conf": text.replace("rewrite", "ssl")}) == {"trace-enabled"}
    unknown = text + "Include conf.modules.d/*.conf\n"
    assert rules(APACHE, {"httpd.conf": unknown}) == {"trace-enabled"}


def test_apache_variables_and_macros_are_unfolded() -> None:
    text = (
        "ServerRoot /srv\nDefine ROOT /etc\n<Macro Site $name $root>\n<VirtualHost *:80>\nServerName $name\nDocumentRoot $root\n"
        "Redirect permanent / https://$name/\n</VirtualHost>\n</Macro>\nUse Site a.example.org ${ROOT}\nUse Site b.example.org /srv/b\n"
    )
    assert sites(APACHE, {"httpd.conf": text}) == [("apache/system-folder-served", "virtualhost a.example.org:80", "DocumentRoot")]


def test_apache_an_include_that_is_not_there_is_a_gap() -> None:
    text = "ServerRoot /srv\nInclude conf/tls.conf\nIncludeOptional conf.d/*.conf\nTraceEnable on\n"
    assert sites(APACHE, {"httpd.conf": text}) == [
        ("apache/trace-enabled", "server", "TraceEnable"),
        ("apache/unchecked", "include tls.conf", "missing"),
    ]
    assert sites(APACHE, {"conf/httpd.conf": text, "conf/tls.conf": "SSLProtocol TLSv1.2\n"}) == [
        ("apache/trace-enabled", "server", "TraceEnable")
    ]


# --- any bytes -------------------------------------------------------------------------------------------------------

_NGINX_PIECES = st.sampled_from(
    [
        "http {",
        "server {",
        "location / {",
        "}",
        ";",
        "'",
        '"',
        "\\",
        "${",
        "$uri",
        "include a.conf;",
        "alias /x/;",
        "if (",
        "~ ^/(.*)$",
        "#",
        "\n",
        "content_by_lua_block {",
        "ssl_ciphers ALL;",
        "add_header A b;",
        "return 301",
        "é",
        "\x00",
        "\x85",
        "{% ",
    ]
)
_APACHE_PIECES = st.sampled_from(
    [
        "<VirtualHost *:80>\n",
        "</VirtualHost>\n",
        "<IfModule x>\n",
        "</IfModule>\n",
        "<Macro A $b>\n",
        "</Macro>\n",
        'Use A "x\n',
        "\\\n",
        '"',
        "Include a.conf\n",
        "Define A ${A}\n",
        "Options Indexes\n",
        "RewriteRule (.*) http://$1 [P]\n",
        "<",
        ">",
        "#",
        "${",
        "\x00",
        "\r\n",
        "é",
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.binary(max_size=300), st.lists(st.one_of(_NGINX_PIECES, _APACHE_PIECES), max_size=60).map(lambda p: "".join(p).encode())),
    st.lists(_NGINX_PIECES, max_size=20).map("".join),
)
def test_any_bytes_give_one_outcome(content: bytes, included: str) -> None:
    for check, name in ((NGINX, "nginx.conf"), (APACHE, "httpd.conf"), (APACHE, ".htaccess")):
        found = outcome(check, {name: content, "a.conf": included.encode()})
        assert isinstance(found, Checked)
        assert all(each.span is None or each.span.start_line > 0 for each in found.sightings)


HOSTILE = {
    "blank lines": "\n" * 200_000,
    "open brackets": "a {" * 50_000,
    "one long word": "a" * 300_000,
    "spaces": "server {" + " " * 300_000,
    "variables": "events {} http { set $a '" + "$a" * 100_000 + "'; }",
    "quotes": "events {} http { a " + "\"'" * 50_000,
    "groups": "events {} http { server { location ~ " + "(" * 30_000 + " { return 301 $1; } } }",
    "sections": "<A>" * 50_000,
    "continued": "ServerRoot \\\n" * 50_000,
    "ciphers": "events {} http { ssl_ciphers " + "ALL:" * 50_000 + "; }",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_ends_in_time(text: str) -> None:
    outcome(NGINX, {"nginx.conf": text})
    outcome(APACHE, {"httpd.conf": text})


def test_files_that_are_no_text_or_too_large_are_gaps() -> None:
    for content, reason in ((b"events {}\0", "encoding"), (b"#" * (1 << 20), "size")):
        (only,) = sightings(NGINX, {"nginx.conf": content})
        assert isinstance(only.site, UncheckedSite)
        assert only.site.reason_class == reason


def test_a_file_with_more_flaws_than_anyone_reads_is_a_gap_and_takes_nothing_from_others() -> None:
    text = "events {} http { server_tokens off; server { listen 127.0.0.1:1; " + "location /a { autoindex on; }\n" * 2_100 + "} }"
    tree = {"a/nginx.conf": text, "b/nginx.conf": "events {} http { server_tokens on; }"}
    assert sites(NGINX, tree) == [("nginx/unchecked", "file", "size"), ("nginx/version-shown", "http", "server_tokens")]


def test_a_tree_with_more_flaws_than_anyone_reads_is_unchecked() -> None:
    text = "events {} http { server { " + "location /a { autoindex on; }\n" * 1_900 + "} }"
    assert gap(NGINX, {f"{n}/nginx.conf": text for n in range(11)}).reason_class == "size"
