"""Mails of what waits and what changed: by a real mail server on loopback, with and without TLS; ended by a link."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.testclient import TestClient

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.feedback.channels.mail import DigestMail, Line, Section, checked_address, compose, inert
from assaymark.jobs.job import clock
from assaymark.model.access import Grant, PersonId, Role, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.server import mailing
from assaymark.server.app import make_app
from assaymark.server.mailing import mail_server
from assaymark.server.service import Service
from assaymark.server.work.digests import end_url, send_digest, send_digests
from assaymark.server.work.publish import publish
from assaymark.store import digests, people, teams
from assaymark.store.digests import DigestRow, Every, next_time
from assaymark.store.people import Draft
from assaymark.store.subscriptions import Wants
from assaymark.store.tables import assessment, digest, job, subject, team

pytestmark = pytest.mark.enable_socket
DAY = 86400 * SECOND
WORD = "many words " + "unheard"


class Attempt:
    number = 1
    is_last = False

    def should_stop(self) -> bool:
        return False


# --- a mail server -----------------------------------------------------------------------------------------------------


class Box:
    """Keeps what it is handed, or refuses it."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.answer = "250 taken"
        self.signed_in: list[bytes] = []
        self.encrypted: list[bool] = []

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=default))
        return self.answer

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.signed_in.append(data.login)
        return AuthResult(success=data.password == WORD.encode(), handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


class Served:
    def __init__(self, box: Box, scheme: str, port: int) -> None:
        self.box, self.scheme, self.port = box, scheme, port


class _Anywhere(Controller):
    """At a port that the machine chose; the library itself would ask at port 0 whether it is there."""

    scheme = ""

    def _trigger_server(self) -> None:
        _trigger(self, self.scheme)


@contextmanager
def serving(scheme: str, certificate: Path | None = None) -> Iterator[Served]:
    """A mail server that speaks this way."""
    box = Box()
    more: dict[str, Any] = {}
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        more = {"authenticator": box.authenticate}
        if scheme == "smtp":
            more |= {"tls_context": context, "require_starttls": True, "auth_required": True}
        else:
            more |= {"ssl_context": context, "auth_require_tls": False}  # the library does not count TLS from the start
    controller = _Anywhere(box, hostname="127.0.0.1", port=0, server_hostname="localhost", **more)
    controller.scheme = scheme
    controller.start()
    try:
        yield Served(box, scheme, _port(controller))
    finally:
        controller.stop()


def _port(controller: Controller) -> int:
    assert isinstance(controller.server, asyncio.Server)
    return int(controller.server.sockets[0].getsockname()[1])


def _trigger(controller: Controller, scheme: str) -> None:
    with socket.create_connection(("127.0.0.1", _port(controller)), 10) as plain:
        if scheme != "smtps":
            plain.recv(100)
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as secure:
            secure.recv(100)


@pytest.fixture
def plain() -> Iterator[Served]:
    with serving("smtp+plain") as made:
        yield made


@pytest.fixture(params=["smtp", "smtps"])
def secure(request: pytest.FixtureRequest, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(request.param, certificate) as made:
        yield made


def settled(service: Service, served: Served, tmp_path: Path, word: str = WORD) -> Service:
    file = tmp_path / "word"
    file.write_text(word)
    user = "" if served.scheme == "smtp+plain" else "assay@"
    settings = msgspec.structs.replace(
        service.settings, mail=f"{served.scheme}://{user}localhost:{served.port}", mail_from="assay@example.org",
        mail_password_file=str(file) if user else "", url="https://assay.example.org",
    )  # fmt: skip
    return msgspec.structs.replace(service, settings=settings)


# --- a person ------------------------------------------------------------------------------------------------------------


def ana(service: Service, *, whose: int | None = 1, every: Every = Every.DAY) -> PersonId:
    now = service.now()
    with service.database.write() as link:
        for number in (1, 2):
            link.execute(team.insert(), {"id": number, "slug": f"t{number}", "name": f"t{number}", "created_at": 0})
        made = people.add(link, Draft("ana", "Ana", "ana@example.org"), at=now)
        assert made is not None
        teams.give(link, made, Grant(Role.DEVELOPER, None if whose is None else TeamId(whose)), source="local", at=now)
        digests.put(link, DigestRow(made, every, 0, 7, Wants(), 0, Instant(now - 1), None, 0, ""), now)
    return made


def happen(service: Service, title: str, whose: int = 1, kind: HappeningKind = HappeningKind.VERDICT_CHANGED) -> None:
    with service.database.write() as link:
        publish(service, link, Happening(kind, Instant(service.now() - 120 * SECOND), TeamId(whose), title, "/changes/1"))


def send(service: Service, person: PersonId, *, at_once: bool = False) -> None:
    send_digest(service, {"person": int(person), "at_once": at_once}, Attempt())


def row_of(service: Service, person: PersonId) -> DigestRow:
    with service.database.read() as link:
        found = digests.get(link, person)
    assert found is not None
    return found


def parts(mail: Message) -> tuple[str, str]:
    found: Any = mail.get_payload()
    return found[0].get_content(), found[1].get_content()


def test_a_mail_goes_out_signed_in_and_encrypted(service: Service, secure: Served, tmp_path: Path) -> None:
    service = settled(service, secure, tmp_path)
    person = ana(service)
    happen(service, "one")
    send(service, person)
    assert len(secure.box.mails) == 1
    assert secure.box.encrypted == [True]
    assert secure.box.signed_in == [b"assay"]


def test_a_mail_says_what_happened_and_how_it_is_ended(service: Service, plain: Served, tmp_path: Path) -> None:
    service = settled(service, plain, tmp_path)
    person = ana(service)
    happen(service, "shop/cart@main fails now")
    send(service, person)
    (mail,) = plain.box.mails
    assert (mail["To"], mail["From"]) == ("ana@example.org", "assay@example.org")
    for part in parts(mail):
        assert "shop/cart@main" in part.replace("\u200b", "")
        assert "https://assay.example.org/changes/1" in part
        assert "https://assay.example.org/mail/end/" in part
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert row_of(service, person).sent_at is not None


def test_what_was_told_is_not_told_again_and_nothing_is_no_mail(service: Service, plain: Served, tmp_path: Path) -> None:
    service = settled(service, plain, tmp_path)
    person = ana(service)
    happen(service, "one")
    send(service, person)
    send(service, person)  # it is not time
    assert len(plain.box.mails) == 1
    later = msgspec.structs.replace(service, now=lambda: Instant(clock() + 2 * DAY))
    send(later, person)
    assert len(plain.box.mails) == 1
    happen(later, "two")
    latest = msgspec.structs.replace(service, now=lambda: Instant(clock() + 4 * DAY))
    send(latest, person)
    assert "two" in parts(plain.box.mails[1])[0]
    assert "one" not in parts(plain.box.mails[1])[0].replace("one now", "")


def test_nobody_is_told_what_he_may_not_see(service: Service, plain: Served, tmp_path: Path) -> None:
    service = settled(service, plain, tmp_path)
    person = ana(service)
    happen(service, "of the other team", whose=2)
    send(service, person)
    assert plain.box.mails == []
    happen(service, "of his team")
    with service.database.write() as link:
        teams.take(link, [each.id for each in teams.memberships_of(link, person)])
        link.execute(digest.update().values(next_at=0))
    send(service, person)
    assert plain.box.mails == []


def test_his_changes_that_do_not_pass_wait_for_him(service: Service, plain: Served, tmp_path: Path) -> None:
    service = settled(service, plain, tmp_path)
    person = ana(service)
    with service.database.write() as link:
        link.execute(subject.insert(), {"id": 1, "kind": "branch", "key": "k", "name": "shop/cart#7", "team": 1, "created_at": 0})
        row = {"subject": 1, "team": 1, "state": "fail", "trigger": "merge-request", "actor": "ana", "queued_at": 0, "finished_at": 1}
        link.execute(assessment.insert(), row | {"summary": "2 new findings"})
    send(service, person)
    assert "shop/cart#7: 2 new findings" in parts(plain.box.mails[0])[0].replace("\u200b", "")


@pytest.mark.parametrize(("answer", "again"), [("451 later", True), ("550 nobody of that name", False)])
def test_what_is_not_taken_is_tried_again_if_that_can_help(
    service: Service, plain: Served, tmp_path: Path, answer: str, again: bool
) -> None:
    service = settled(service, plain, tmp_path)
    person = ana(service, every=Every.WEEK)
    happen(service, "one")
    plain.box.answer = answer
    send(service, person)
    row = row_of(service, person)
    assert row.problem
    assert (row.next_at - service.now() < 3600 * SECOND) is again
    plain.box.answer = "250 taken"
    with service.database.write() as link:
        link.execute(digest.update().values(next_at=0))
    send(service, person)
    assert "one" in parts(plain.box.mails[0])[0]
    assert row_of(service, person).problem == ""


def test_a_wrong_password_says_so_and_is_in_no_message(service: Service, secure: Served, tmp_path: Path) -> None:
    service = settled(service, secure, tmp_path, "another word")
    person = ana(service)
    happen(service, "one")
    send(service, person)
    assert "does not let the server in" in row_of(service, person).problem
    assert "another word" not in row_of(service, person).problem


def test_a_certificate_that_nobody_knows_is_not_taken(
    service: Service, secure: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    service = settled(service, secure, tmp_path)
    mail = compose(DigestMail("Ana", "day", (), "https://a", "https://a/e"), sender="a@b.c", to="d@e.f", number="1", date="x")
    with pytest.raises(SubjectUnreadable):
        mailing.send(mail_server(service.settings), mail)
    assert secure.box.signed_in == []


# --- the link --------------------------------------------------------------------------------------------------------------


def test_a_link_ends_it_without_signing_in_and_a_look_does_not(service: Service) -> None:
    person = ana(service)
    with service.database.read() as link:
        path = end_url(service, link, person).removeprefix(service.settings.url)
    with TestClient(make_app(service), base_url=service.settings.url) as client:
        assert client.get(path).status_code == 200
        assert row_of(service, person).person == person
        assert client.get(path[:-1] + ("0" if path[-1] != "0" else "1")).status_code == 404
        assert client.get("/mail/end/1." + "0" * 40).status_code == 404
        one_click = client.post(path, content=b"List-Unsubscribe=One-Click", headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert one_click.status_code == 200
        assert client.post(path).status_code == 404
    with service.database.read() as link:
        assert digests.get(link, person) is None


def test_a_mail_that_was_begun_anew_has_another_link(service: Service) -> None:
    person = ana(service)
    with service.database.write() as link:
        old = end_url(service, link, person)
        digests.end(link, person)
        digests.put(link, DigestRow(person, Every.DAY, 0, 7, Wants(), 0, Instant(1), None, 0, ""), Instant(1))
        assert end_url(service, link, person) != old


def test_the_clock_puts_a_job_for_whom_it_is_time(service: Service) -> None:
    person = ana(service)
    set_up = msgspec.structs.replace(service, settings=msgspec.structs.replace(service.settings, mail="smtp://mail.example.org"))
    send_digests(set_up, {}, Attempt())
    send_digests(set_up, {}, Attempt())
    if service.database.is_sqlite:
        with service.database.read() as link:
            assert list(link.execute(sa.select(job.c.key)).scalars()) == [f"digest:{person}"]


# --- words and settings ----------------------------------------------------------------------------------------------------


def test_words_of_others_are_text_in_both_parts() -> None:
    hostile = '<script>alert(1)</script> https://evil.example/x www.evil.example evil.example ada@evil.example "><img src=x>\r\nBcc: all@x'
    said = DigestMail(hostile, "day", (Section("Yours", (Line(hostile, "https://a/1", hostile),)),), "https://a", "https://a/end")
    mail = compose(said, sender="a@b.c", to="d@e.f", number="1", date="x")
    text, html = parts(message_from_bytes(mail.as_bytes(), policy=default))
    assert "<script" not in html
    assert "<img" not in html
    assert mail["Bcc"] is None
    for part in (text, re.sub(r'href="[^"]*"', "", html)):
        assert "https://evil" not in part
        assert "evil.example" not in part
        assert "@evil" not in part


@pytest.mark.parametrize(
    "text", ["", "ada", "ada@", "@x.org", "a b@x.org", "a@x.org\nBcc: b@x.org", "a@x..org", "<a@x.org>", "a@x.org,b@x.org"]
)
def test_what_is_no_address_gets_no_mail(text: str) -> None:
    with pytest.raises(UsageError):
        checked_address(text)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://x",
        "smtp://",
        "smtp://user:" + "word@x",
        "smtp+plain://mail.example.org",
        "smtp+plain://u@127.0.0.1",
        "smtp://x/path",
        "smtp://x:y",
    ],
)
def test_a_mail_server_that_makes_no_sense_is_refused(service: Service, address: str) -> None:
    with pytest.raises(UsageError):
        mail_server(msgspec.structs.replace(service.settings, mail=address))


def test_inert_text_reads_the_same() -> None:
    assert inert("pkg 1.2.3 in a.b@c").replace("\u200b", "") == "pkg 1.2.3 in a.b@c"


@pytest.mark.parametrize(
    ("every", "weekday", "hour", "after", "wanted"),
    [
        (Every.DAY, 0, 7, "2026-11-28T06:00", "2026-11-28T07:00"),
        (Every.DAY, 0, 7, "2026-11-28T07:00", "2026-11-29T07:00"),
        (Every.WEEK, 0, 7, "2026-11-28T06:00", "2026-11-30T07:00"),
        (Every.WEEK, 6, 23, "2026-11-28T06:00", "2026-11-29T23:00"),
        (Every.WEEK, 5, 5, "2026-11-28T06:00", "2026-12-05T05:00"),
    ],
)
def test_the_next_time_is_the_first_such_moment(every: Every, weekday: int, hour: int, after: str, wanted: str) -> None:
    def at(text: str) -> Instant:
        return Instant(int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp()) * SECOND)

    assert next_time(every, weekday, hour, at(after)) == at(wanted)
