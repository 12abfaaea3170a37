"""Settings of this harbour."""

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT = Path(__file__).parent.parent / "config" / "settings.toml"


@dataclass(frozen=True)
class Settings:
    port: int
    workers: int
    mail_host: str
    mail_user: str
    mail_password: str = field(repr=False)
    carrier_url: str


def load(path=DEFAULT, environment=os.environ):
    table = tomllib.loads(Path(path).read_text("utf-8"))
    service, mail = table["service"], table["mail"]
    secret = environment.get("HARBOUR_MAIL_PASSWORD", "")
    return Settings(service["port"], service["workers"], mail["host"], mail["user"], secret, table["carrier"]["url"])
