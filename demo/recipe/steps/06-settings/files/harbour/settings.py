"""Settings of this harbour."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

DEFAULT = Path(__file__).parent.parent / "config" / "settings.toml"


@dataclass(frozen=True)
class Settings:
    port: int
    workers: int
    mail_host: str
    mail_user: str
    mail_password: str
    carrier_url: str


def load(path=DEFAULT):
    table = tomllib.loads(Path(path).read_text("utf-8"))
    service, mail = table["service"], table["mail"]
    return Settings(service["port"], service["workers"], mail["host"], mail["user"], mail["password"], table["carrier"]["url"])
