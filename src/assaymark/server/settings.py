"""Settings of the server: each an option of `assay serve` and `assay worker`, and an environment variable for containers.

| variable | meaning | default |
|---|---|---|
| ``ASSAYMARK_DATA`` | folder of the server's data | ``$XDG_DATA_HOME/assaymark/server`` |
| ``ASSAYMARK_DATABASE`` | URL of PostgreSQL (or of SQLite) | SQLite in the data folder |
| ``ASSAYMARK_DATABASE_FILE`` | file that holds that URL, so that its password stands in no environment | none |
| ``ASSAYMARK_STORAGE`` | ``s3://bucket/prefix`` for content by digest | a folder in the data folder |
| ``ASSAYMARK_S3_ENDPOINT`` | address of the S3 storage when it is not Amazon's; keys and region are the SDK's (``AWS_…``) | Amazon's |
| ``ASSAYMARK_URL`` | how people and forges reach the server | ``http://<listen>`` |
| ``ASSAYMARK_LISTEN`` | address and port | ``127.0.0.1:8750`` |
| ``ASSAYMARK_WORKERS`` | worker processes that `assay serve` starts; 0 for none | 1 |
| ``ASSAYMARK_PRIVATE_NETWORKS`` | networks (CIDR, comma-separated) that git URLs and forges may name beside public ones | none |
| ``ASSAYMARK_LOCAL_REPOSITORIES`` | folders (comma-separated) below which ``file:///`` may name repositories | none |
| ``ASSAYMARK_PROXIES`` | networks (CIDR, comma-separated) of reverse proxies whose ``X-Forwarded-For`` and ``-Proto`` are believed | none |
| ``ASSAYMARK_MAIL`` | mail server: ``smtp://user@host`` (STARTTLS), ``smtps://user@host``, ``smtp+plain://127.0.0.1`` | none: no mail |
| ``ASSAYMARK_MAIL_PASSWORD_FILE`` | file that holds the password of the mail server on one line | none |
| ``ASSAYMARK_MAIL_FROM`` | sender of mails | ``assaymark@`` and the name in ``ASSAYMARK_URL`` |
| ``ASSAYMARK_LOG_PINS`` | where checkpoints of the log are kept elsewhere (comma-separated; `server.logbook.pins`) | none |
| ``ASSAYMARK_SIGNER`` | address of the key that endorses, e.g. ``pkcs11:token=…`` | ``own:``, sealed in the database |
| ``ASSAYMARK_RATE`` | requests a minute that one token or person may send; all of them at once if need be | 1200 |
| ``ASSAYMARK_PUBLIC_RATE`` | requests a minute from one address that nobody is known to have sent; all of them at once if need be | 240 |
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from assaymark.endorsement.signers.address import OWN, scheme_of
from assaymark.errors import UsageError

DEFAULT_LISTEN = "127.0.0.1:8750"


class Settings(Struct, frozen=True):
    data: Path
    database: str
    storage: str
    url: str
    """Without a slash at its end."""
    host: str
    port: int
    workers: int
    private_networks: tuple[str, ...] = ()
    local_repositories: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    rate: int = 1200
    public_rate: int = 240
    s3_endpoint: str = ""
    mail: str = ""
    mail_password_file: str = ""
    mail_from: str = ""
    signer: str = OWN
    log_pins: tuple[str, ...] = ()
    """Places of `server.logbook.pins`."""

    @property
    def is_https(self) -> bool:
        return self.url.startswith("https://")

    @property
    def hostname(self) -> str:
        """The only name in ``Host`` that is answered, beside loopback when listening there."""
        return urlsplit(self.url).hostname or ""


def make_data(settings: Settings) -> None:
    """Make the data folder, for this user alone.

    Raises:
        UsageError: when it cannot be made.
    """
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{settings.data} cannot be made", why=error.strerror or str(error), advice="name another folder with --data or ASSAYMARK_DATA"
        ) from error


def need_data(settings: Settings) -> None:
    """For commands that look after what a server keeps: a folder that was mistyped is no empty server.

    Raises:
        UsageError: when no server has kept anything there.
    """
    address = settings.database
    if address.startswith("sqlite:") and not Path(address.removeprefix("sqlite:///")).is_file():
        raise UsageError(
            f"no server has its data in {settings.data}",
            advice="name its folder with --data, its database with --database, or start it first",
        )


def load(env: Mapping[str, str] | None = None, **given: str) -> Settings:
    """From options (by the variable's name in small letters without the prefix), then the environment.

    Raises:
        UsageError: when one does not mean anything.
    """
    env = os.environ if env is None else env

    def value(name: str, default: str) -> str:
        return given.get(name, "") or env.get(f"ASSAYMARK_{name.upper()}", "") or default

    def database() -> str:
        file = env.get("ASSAYMARK_DATABASE_FILE", "")
        return value("database", "") or (_secret(Path(file)) if file else f"sqlite:///{data / 'assaymark.db'}")

    shared = env.get("XDG_DATA_HOME") or str(Path(env.get("HOME") or "~").expanduser() / ".local" / "share")
    data = Path(value("data", str(Path(shared) / "assaymark" / "server"))).absolute()
    host, port = _listen(value("listen", DEFAULT_LISTEN))
    shown = f"[{host}]" if ":" in host else host
    return Settings(
        data=data,
        database=database(),
        storage=value("storage", ""),
        s3_endpoint=value("s3_endpoint", ""),
        mail=value("mail", ""),
        mail_password_file=value("mail_password_file", ""),
        mail_from=value("mail_from", ""),
        signer=_signer(value("signer", OWN)),
        url=_url(value("url", f"http://{shown}:{port}")),
        host=host,
        port=port,
        workers=_whole("workers", value("workers", "1")),
        local_repositories=(
            str(data / "sample"),  # made by the server itself
            *(_folder(text.strip()) for text in value("local_repositories", "").split(",") if text.strip()),
        ),
        private_networks=_networks(value("private_networks", "")),
        proxies=_networks(value("proxies", "")),
        log_pins=tuple(text.strip() for text in value("log_pins", "").split(",") if text.strip()),
        rate=_whole("rate", value("rate", "1200")) or 1,
        public_rate=_whole("public_rate", value("public_rate", "240")) or 1,
    )


def _secret(path: Path) -> str:
    """The only line of a file."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(4097).strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read", why=str(error), advice="ASSAYMARK_DATABASE_FILE names a file with the URL") from error
    if not text or len(text) > 4096 or "\n" in text:
        raise UsageError(f"{path} holds no URL", advice="write postgresql://user:password@host/name into it, on one line")
    return text


def _listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{text!r} is no address to listen at", advice="write it as 127.0.0.1:8750 or [::1]:8750")
    return host.strip("[]"), int(port)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"{text!r} is no address of a server", advice="write it as https://assay.example.org")
    return text.rstrip("/")


def _whole(name: str, text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"{name}={text!r} is no whole number", advice="write digits alone")
    return int(text)


def _networks(text: str) -> tuple[str, ...]:
    return tuple(_network(each.strip()) for each in text.split(",") if each.strip())


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise UsageError(f"{text!r} is no network", advice="write it as 10.0.0.0/8") from error


def _signer(text: str) -> str:
    if text != OWN:
        scheme_of(text)
    return text


def _folder(text: str) -> str:
    path = Path(text)
    if not path.is_absolute() or path == Path(path.anchor):
        raise UsageError(f"{text!r} is no folder of repositories", advice="write it from the root, as /srv/git")
    return str(path)
