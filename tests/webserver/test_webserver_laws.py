"""The laws of identity on servers' settings, through the whole flow: base and head are trees, and what is new is counted."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable, Mapping

import pytest

from assaymark.checks.plugins import load
from assaymark.checks.registry import BUILT_IN
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.engine.limits import Limits
from assaymark.engine.run import Means, run
from assaymark.flow import Context, Request, assay
from assaymark.model.check import Check
from assaymark.model.finding import Kind
from assaymark.model.verdict import Judged, State
from assaymark.testing.memory import MemoryComparison, MemoryFacts, MemorySubject
from assaymark.verdict.policy import Policy

Files = dict[str, str]
New = Callable[[Files, Files], list[Judged]]


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> New:
    """What is new in head."""
    memory = MemoryFacts()

    def make_checks(policy: Policy, settings: CheckSettings) -> list[Check]:
        return [load(BUILT_IN[name])(settings) for name in ("nginx", "apache")]

    context = Context(
        today=dt.date(2026, 11, 23),
        cache_dir=str(tmp_path_factory.mktemp("cache")),
        key=Secret(b"a key for tests only"),
        make_checks=make_checks,
        run=lambda planned, checks, sources, _policy: run(planned, checks, sources, Means(memory=memory, limits=Limits(isolate=False))),
        clock=time.monotonic,
        settle=lambda: None,
    )

    def found(base: Files, head: Files) -> list[Judged]:
        subjects = [MemorySubject({path: text.encode() for path, text in files.items()}) for files in (base, head)]
        verdict = assay(Request(MemoryComparison(*subjects)), context)
        return [each for each in verdict.findings if each.state is State.NEW]

    return found


def nginx_server(number: int) -> str:
    return (
        f"server {{\n  listen 443 ssl;\n  server_name s{number}.example.org;\n  ssl_protocols TLSv1 TLSv1.2;\n"
        f"  location /files {{\n    alias /srv/{number}/;\n    autoindex on;\n  }}\n"
        "  location ~ ^/p/(.*) {\n    proxy_pass http://$1;\n  }\n}\n"
    )


def apache_host(number: int) -> str:
    return (
        f"<VirtualHost *:443>\n  ServerName s{number}.example.org\n  SSLEngine on\n  SSLProtocol all\n  DocumentRoot /srv/{number}\n"
        f"  <Directory /srv/{number}>\n    Options Indexes\n    AllowOverride All\n  </Directory>\n"
        "  <Location /s>\n    SetHandler server-status\n  </Location>\n</VirtualHost>\n"
    )


MAIN = {
    "nginx/nginx.conf": "events {}\nhttp {\n  server_tokens off;\n  include conf.d/*.conf;\n}\n",
    "httpd/httpd.conf": 'ServerRoot "/etc/httpd"\nTraceEnable off\nIncludeOptional sites/*.conf\n',
}
FOLDERS = {"nginx/conf.d": nginx_server, "httpd/sites": apache_host}


def tree(chance: random.Random, numbers: list[int], folders: Mapping[str, Callable[[int], str]] = FOLDERS) -> Files:
    """The same servers, spread over included files in any way and order."""
    files = dict(MAIN)
    for folder, made in folders.items():
        order = list(numbers)
        chance.shuffle(order)
        for number in order:
            name = f"{folder}/{chance.choice('abc')}.conf"
            files[name] = files.get(name, "") + chance.choice(["", "# a remark\n", "\n\n"]) + made(number)
    return files


def test_there_are_enough_findings_to_prove_something(new: New) -> None:
    assert len(new({}, tree(random.Random(1), list(range(6))))) >= 60


@pytest.mark.parametrize("seed", range(15))
def test_moving_servers_between_included_files_and_reordering_them_gives_nothing_new(new: New, seed: int) -> None:
    chance = random.Random(seed)
    numbers = list(range(6))
    assert new(tree(chance, numbers), tree(chance, numbers)) == []


@pytest.mark.parametrize("seed", range(8))
def test_renaming_the_folder_and_reformatting_give_nothing_new(new: New, seed: int) -> None:
    chance = random.Random(seed)
    base = tree(chance, list(range(4)))
    head = {f"deploy/{name}": "\r\n".join("  " + line.strip() for line in text.split("\n")) for name, text in base.items()}
    assert new(base, head) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_further_server_gives_exactly_its_findings(new: New, seed: int) -> None:
    chance = random.Random(seed)
    base = tree(chance, list(range(4)))
    head = tree(chance, list(range(5)))
    alone = new(MAIN, MAIN | {"nginx/conf.d/a.conf": nginx_server(4), "httpd/sites/a.conf": apache_host(4)})
    assert sorted(each.finding.fingerprint for each in new(base, head)) == sorted(
        each.finding.fingerprint for each in alone if "s4" in each.finding.statement
    )


DEFECTS = {
    "nginx": ("  location /files {", "  merge_slashes off;\n  location /files {"),
    "nginx again": ("    autoindex on;\n", "    autoindex on;\n    client_max_body_size 0;\n"),
    "nginx protocol": ("ssl_protocols TLSv1 TLSv1.2;", "ssl_protocols SSLv3 TLSv1 TLSv1.2;"),
    "apache": ("  SSLEngine on\n", "  SSLEngine on\n  TraceEnable on\n"),
    "apache section": ("    Options Indexes\n", "    Options Indexes\n    LimitRequestBody 0\n"),
}


@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.parametrize("seed", range(4))
def test_one_defect_in_one_server_is_exactly_one_new_finding(new: New, seed: int, name: str) -> None:
    chance = random.Random(seed)
    base = tree(chance, list(range(4)))
    old, put = DEFECTS[name]
    path = chance.choice(sorted(path for path, text in base.items() if old in text))
    head = base | {path: base[path].replace(old, put, 1)}
    assert len(new(base, head)) == 1


def test_a_snippet_included_once_more_gives_nothing_new(new: New) -> None:
    snippet = {"nginx/files.conf": "location /files {\n  alias /srv/files/;\n}\n"}
    one = MAIN | snippet | {"nginx/conf.d/a.conf": "server {\n  listen 127.0.0.1:1;\n  include files.conf;\n}\n"}
    two = one | {"nginx/conf.d/0.conf": "server {\n  listen 127.0.0.1:2 default_server;\n  include files.conf;\n}\n"}
    assert new(one, two) == []


def test_a_broken_file_is_a_new_gap_and_no_finding_is_called_fixed_or_new_elsewhere(new: New) -> None:
    base = tree(random.Random(3), list(range(4)))
    path = next(path for path in sorted(base) if path.startswith("nginx/conf.d/"))
    found = new(base, base | {path: base[path].rstrip().removesuffix("}")})
    assert [each.finding.core.kind for each in found] == [Kind.UNCHECKED]
    assert found[0].finding.place.path == path
