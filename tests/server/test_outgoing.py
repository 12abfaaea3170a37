"""Where the server may go out to: attacks by name, and what must stay possible."""

from __future__ import annotations

import http.server
import ipaddress
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.listening import listening

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.server.addresses import Address, is_allowed
from assaymark.server.outgoing import WEB, LookUp, checked_url, client, destination, parse
from assaymark.server.settings import Settings, load

PUBLIC = ipaddress.ip_address("140.82.121.3")
SECRET = "hunter" + "2hunter2"


def settings(**given: str) -> Settings:
    return load({"HOME": "/nowhere"}, **given)


def names(*addresses: str) -> LookUp:
    return lambda _host, _port: [ipaddress.ip_address(each) for each in addresses]


INSIDE = {
    "loopback": "127.0.0.1",
    "loopback of another number": "127.8.8.8",
    "private class A": "10.1.2.3",
    "private class B": "172.31.0.1",
    "private class C": "192.168.1.1",
    "metadata": "169.254.169.254",
    "metadata behind shared space": "100.100.100.200",
    "metadata on a public address": "168.63.129.16",
    "metadata over IPv6": "fd00:ec2::254",
    "any": "0.0.0.0",
    "IPv6 loopback": "::1",
    "IPv6 any": "::",
    "link-local": "fe80::1",
    "site-local": "fec0::1",
    "unique local": "fc00::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped metadata": "::ffff:a9fe:a9fe",
    "compatible": "::7f00:1",
    "6to4 of private": "2002:0a00:0001::1",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "NAT64 of a local prefix": "64:ff9b:1::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "documentation": "2001:db8::1",
    "multicast": "224.0.0.1",
    "multicast over IPv6": "ff02::1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "benchmark": "198.18.0.1",
}


@pytest.mark.parametrize("address", INSIDE.values(), ids=INSIDE.keys())
def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="may not be gone to"):
        destination("https://innocent.example/x.git", settings(), look_up=names(address))


@pytest.mark.parametrize("address", INSIDE.values(), ids=INSIDE.keys())
def test_an_address_that_lies_inside_is_refused_without_asking_a_name_server(address: str) -> None:
    shown = f"[{address}]" if ":" in address else address
    for text in (f"https://{shown}/x.git", f"ssh://git@{shown}/x.git", f"git@{shown}:x.git"):
        with pytest.raises(UsageError, match="may not be gone to"):
            checked_url(text, settings())


def test_a_name_that_leads_inside_beside_outside_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        destination("https://innocent.example/", settings(), look_up=names("140.82.121.3", "10.0.0.1"))
    assert "10.0.0.1" in caught.value.why


ATTACKS = {
    "helper program": "ext::sh -c touch% /tmp/x",
    "helper descriptor": "fd::17/foo",
    "option": "--upload-pack=touch /tmp/x",
    "short option": "-u/bin/sh",
    "option as host": "ssh://-oProxyCommand=x/y",
    "option as user": "ssh://-oProxyCommand=x@host/y",
    "option as path": "ssh://host/-x",
    "option as path of scp": "git@host:-x",
    "option as host of scp": "-oProxyCommand=x:y",
    "decimal": "http://2130706433/",
    "hexadecimal": "http://0x7f000001/",
    "hexadecimal part": "http://0x7f.0.0.1/",
    "octal": "http://0177.0.0.1/",
    "short": "http://127.1/",
    "leading zeros": "http://127.000.000.001/",
    "five parts": "http://1.2.3.4.5/",
    "full-width digits": "http://\uff11\uff12\uff17.0.0.1/",
    "enclosed letters": "http://\u24d4xample.com/",
    "zone": "http://[fe80::1%25eth0]/",
    "percent host": "http://127%2e0.0.1/",
    "user and host": "http://good.example@127.0.0.1/",
    "two at signs": "http://a@b@127.0.0.1/",
    "backslash": "http://good.example\\@127.0.0.1/",
    "tab": "ht\ttp://127.0.0.1/",
    "line break": "http://good.example/\r\nHost: x",
    "NUL": "http://good.example/\x00",
    "space": "http://good.example/ x",
    "gopher": "gopher://good.example/",
    "git protocol": "git://good.example/x.git",
    "ftp": "ftp://good.example/x",
    "javascript": "javascript:alert(1)",
    "data": "data:text/plain,x",
    "fragment": "https://good.example/x#y",
    "port of mail": "http://good.example:25/",
    "port of ftp": "ssh://git@good.example:21/x",
    "port too large": "http://good.example:65536/",
    "port zero": "http://good.example:0/",
    "no host": "https:///x",
    "empty label": "https://a..b/x",
    "file with a host": "file://server/share/x",
    "relative file": "file://x",
    "file upwards": "file:///srv/git/../../etc",
    "file in percent": "file:///srv/git/%2e%2e/etc",
    "plain path": "/etc",
    "relative path": "../x",
    "empty": "",
    "endless": "https://good.example/" + "x" * 3000,
    "bundle": "bundle::https://x",
    "helper as scp": "ext:x",
    "quotes": "git@good.example:x';touch /tmp/x;'",
    "backquotes": "git@good.example:`id`",
}


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS.keys())
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        destination(text, settings(local_repositories="/srv/git"), look_up=names(str(PUBLIC)))


@pytest.mark.parametrize(
    "text", [f"https://user:{SECRET}@good.example/x.git", f"https://{SECRET}@good.example/x", f"ssh://git:{SECRET}@h/x"]
)
def test_a_credential_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked_url(text, settings())
    assert SECRET not in caught.value.diagnosis()


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("HTTPS://Good.Example./group/x.git", "https://good.example/group/x.git"),
        ("https://good.example:443/x", "https://good.example/x"),
        ("http://good.example:3000/x", "http://good.example:3000/x"),
        ("ssh://git@good.example:2222/x.git", "ssh://git@good.example:2222/x.git"),
        ("git@good.example:group/x.git", "git@good.example:group/x.git"),
        ("https://hooks.example/a?key=b", "https://hooks.example/a?key=b"),
        ("https://[2606:4700::1111]/x", "https://[2606:4700::1111]/x"),
    ],
)
def test_plain_addresses_have_one_form(text: str, known: str) -> None:
    found = destination(text, settings(), look_up=names(str(PUBLIC)))
    assert found.url == known
    assert parse(found.url).url == known
    assert found.addresses


def test_networks_that_the_administrator_named_are_open_and_no_others() -> None:
    mine = settings(private_networks="10.20.0.0/16, fd12::/32")
    assert destination("https://forge/x", mine, look_up=names("10.20.1.1", "fd12::1")).addresses == ("10.20.1.1", "fd12::1")
    with pytest.raises(UsageError):
        destination("https://forge/x", mine, look_up=names("10.21.1.1"))
    with pytest.raises(UsageError):
        destination("https://forge/x", mine, look_up=names("127.0.0.1"))


def test_a_host_that_nobody_knows_is_a_failure_of_the_moment_and_no_mistake() -> None:
    with pytest.raises(SubjectUnreadable, match="cannot be found"):
        destination("https://good.example/x", settings(), look_up=names())


def test_folders_are_open_where_the_administrator_said_so(tmp_path: Path) -> None:
    allowed = tmp_path / "git"
    (allowed / "x.git").mkdir(parents=True)
    (tmp_path / "gitother").mkdir()
    (allowed / "link").symlink_to(tmp_path / "gitother")
    mine = settings(local_repositories=str(allowed))
    assert checked_url(f"file://{allowed}/x.git", mine) == f"file://{allowed}/x.git"
    for outside in (f"{tmp_path}/gitother", f"{allowed}/../gitother", f"{allowed}/link", "/etc"):
        with pytest.raises(UsageError, match="may not be read"):
            checked_url(f"file://{outside}", mine)
    with pytest.raises(UsageError):
        checked_url(f"file://{allowed}/x.git", settings())
    with pytest.raises(UsageError):
        checked_url(f"file://{allowed}/x.git", mine, schemes=WEB)


def test_the_whole_machine_is_no_folder_of_repositories() -> None:
    for text in ("/", "srv/git"):
        with pytest.raises(UsageError):
            settings(local_repositories=text)


def test_public_addresses_are_public() -> None:
    for text in ("8.8.8.8", "140.82.121.3", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"):
        assert is_allowed(ipaddress.ip_address(text), ())


# --- requests, against a server on loopback ----------------------------------------------------------------------------


class Forge(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            self.end_headers()
            return
        body = b"x" * (100_000 if self.path == "/large" else 2)
        self.send_response(200)
        if self.path == "/packed":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(2 * len(body) if self.path == "/drops" else len(body)))
        self.end_headers()
        for byte in body if self.path == "/drops" else b"":
            self.wfile.write(bytes([byte]))
            time.sleep(0.2)
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def forge() -> Iterator[int]:
    with listening(Forge) as port:
        yield port


@pytest.mark.enable_socket
def test_a_client_does_not_reach_loopback_by_address_or_by_name(forge: int) -> None:
    with client(settings(), look_up=names("127.0.0.1")) as http:
        for url in (f"http://127.0.0.1:{forge}/", f"http://rebound.example:{forge}/", f"http://[::ffff:127.0.0.1]:{forge}/"):
            with pytest.raises(UsageError, match="may not be gone to"):
                http.get(url)


@pytest.mark.enable_socket
def test_the_name_is_asked_once_and_the_answer_that_was_checked_is_used(forge: int) -> None:
    """DNS rebinding: the second answer would lead elsewhere."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[Address]:
        asked.append(host)
        return [ipaddress.ip_address("127.0.0.1" if len(asked) == 1 else "10.0.0.1")]

    with client(settings(private_networks="127.0.0.0/8"), look_up=rebinding) as http:
        assert http.get(f"http://forge.example:{forge}/").text == "xx"
    assert asked == ["forge.example"]


@pytest.mark.enable_socket
def test_a_redirect_inside_is_refused_when_it_is_followed_and_not_followed_otherwise(forge: int) -> None:
    with client(settings(private_networks="127.0.0.1/32")) as http:
        assert http.get(f"http://127.0.0.1:{forge}/away").status_code == 302
        with pytest.raises(UsageError, match=r"169\.254"):
            http.get(f"http://127.0.0.1:{forge}/away", follow_redirects=True)


@pytest.mark.enable_socket
def test_answers_end_at_a_size_a_time_and_are_never_unpacked(forge: int) -> None:
    mine = settings(private_networks="127.0.0.1/32")
    with client(mine, most_bytes=50_000) as http, pytest.raises(SubjectUnreadable, match="too much"):
        http.get(f"http://127.0.0.1:{forge}/large")
    with client(mine) as http, pytest.raises(SubjectUnreadable, match="form"):
        http.get(f"http://127.0.0.1:{forge}/packed")
    with client(mine, seconds=0.3) as http, pytest.raises(SubjectUnreadable, match="too long"):
        http.get(f"http://127.0.0.1:{forge}/drops")


@pytest.mark.enable_socket
def test_proxies_of_the_environment_are_not_used(forge: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with client(settings(private_networks="127.0.0.1/32")) as http:
        assert http.get(f"http://127.0.0.1:{forge}/").status_code == 200
