"""Hands a message to the mail server that the administrator named: with STARTTLS, with TLS from the start, or in the clear on loopback.

Guarantees: without TLS nothing leaves this machine, and a password is never sent; certificates are checked; a name and password are only
used after TLS. What the mail server refuses for good is told apart from what may pass.
"""

from __future__ import annotations

import ipaddress
import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.feedback.channels.mail import checked_address
from assaymark.server.settings import Settings

_SECONDS = 20.0
_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_ADVICE = "write ASSAYMARK_MAIL as smtp://user@mail.example.org (STARTTLS) or smtps://user@mail.example.org"


class MailServer(Struct, frozen=True):
    """Where mails go; its representation does not show the password."""

    scheme: str
    host: str
    port: int
    user: str
    password: str
    sender: str

    def __repr__(self) -> str:
        return f"MailServer({self.scheme}://{self.host}:{self.port})"


def mail_server(settings: Settings) -> MailServer:
    """The one that is set.

    Raises:
        UsageError: when none is, or it makes no sense.
    """
    if not settings.mail:
        raise UsageError("no mail server is set", advice=_ADVICE)
    try:
        parts = urlsplit(settings.mail)
        port = parts.port
    except ValueError as error:
        raise UsageError("ASSAYMARK_MAIL is no address of a mail server", why=str(error), advice=_ADVICE) from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise UsageError("ASSAYMARK_MAIL is no address of a mail server", advice=_ADVICE)
    if parts.password is not None:
        raise UsageError("ASSAYMARK_MAIL holds a password", advice="write it into a file, and name that in ASSAYMARK_MAIL_PASSWORD_FILE")
    if parts.scheme == "smtp+plain" and (parts.username or not _is_loopback(parts.hostname)):
        raise UsageError("mail is not sent in the clear", why=f"{parts.hostname} is another machine", advice=_ADVICE)
    host = parts.hostname
    sender = settings.mail_from or f"assaymark@{urlsplit(settings.url).hostname}"
    return MailServer(
        parts.scheme, host, port or _PORTS[parts.scheme], unquote(parts.username or ""), _password(settings), checked_address(sender)
    )


def send(server: MailServer, mail: EmailMessage) -> None:
    """Hand it over.

    Raises:
        UsageError: when it is refused for good.
        SubjectUnreadable: when trying again may help.
    """
    try:
        with _opened(server) as smtp:
            smtp.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        code = max((code for code, _ in error.recipients.values()), default=0)
        raise _refused(server, code, "the recipient") from error
    except smtplib.SMTPAuthenticationError as error:
        raise UsageError(
            f"{server.host} does not let the server in", why=f"it answered {error.smtp_code}", advice="look at the password"
        ) from error
    except smtplib.SMTPResponseException as error:
        raise _refused(server, error.smtp_code, "the message") from error
    except smtplib.SMTPNotSupportedError as error:
        raise UsageError(f"{server.host} offers no STARTTLS or no sign-in", advice=_ADVICE) from error
    except (OSError, smtplib.SMTPException) as error:
        raise SubjectUnreadable(
            f"{server.host} took no mail", why=f"{type(error).__name__}: {error}"[:200], advice="it is tried again"
        ) from error


def _opened(server: MailServer) -> smtplib.SMTP:
    if server.scheme == "smtps":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=_SECONDS, context=ssl.create_default_context())
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=_SECONDS)
    try:
        if server.scheme == "smtp":
            smtp.starttls(context=ssl.create_default_context())
        if server.user:
            smtp.login(server.user, server.password)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _refused(server: MailServer, code: int, what: str) -> UsageError | SubjectUnreadable:
    if code >= 500:
        return UsageError(f"{server.host} refuses {what}", why=f"it answered {code}", advice="look at the address in the account")
    return SubjectUnreadable(f"{server.host} does not take {what} now", why=f"it answered {code}", advice="it is tried again")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _password(settings: Settings) -> str:
    if not settings.mail_password_file:
        return ""
    try:
        text = Path(settings.mail_password_file).read_text("utf-8")[:4097].strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"{settings.mail_password_file} cannot be read", why=str(error)) from error
    if not text or len(text) > 4096 or "\n" in text:
        raise UsageError(f"{settings.mail_password_file} holds no password", advice="write it on one line")
    return text
