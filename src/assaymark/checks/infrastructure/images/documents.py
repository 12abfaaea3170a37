"""What an image says of itself, as values: its configuration (OCI image specification, config.md) and the table of unusual files."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from assaymark.formats.undecodable import UNDECODABLE

MOST_STEPS = 2_000
"""Of a history; builders end at 127 layers, and steps without a layer are as many again."""


class Unreadable(Exception):  # noqa: N818 - an answer of the reader, not a defect
    """Why there is no document."""

    def __init__(self, reason_class: str, reason: str) -> None:
        super().__init__(reason)
        self.reason_class = reason_class
        self.reason = reason


class Health(Struct, rename="pascal"):
    """How to ask whether the service is well."""

    test: list[str] | None = None


class Settings(Struct, rename="pascal"):
    """What a container is started with."""

    user: str = ""
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    exposed_ports: dict[str, object] | None = None
    volumes: dict[str, object] | None = None
    healthcheck: Health | None = None


class Step(Struct):
    """One step of the history."""

    created_by: str = ""
    empty_layer: bool = False


class Config(Struct):
    """The configuration."""

    config: Settings | None = None
    history: list[Step] | None = None

    @property
    def settings(self) -> Settings:
        return self.config or Settings()

    def variables(self) -> list[tuple[str, str]]:
        """Name and value of each variable."""
        pairs = [variable.partition("=") for variable in self.settings.env or ()]
        return [(name, value) for name, _, value in pairs]


class Row(Struct):
    """One unusual file."""

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    capabilities: bool
    size: int


class Files(Struct):
    """The table."""

    rows: list[Row]
    left_behind: dict[str, int]
    more: int


_Document = TypeVar("_Document")


def read_config(data: bytes) -> Config:
    """The configuration.

    Raises:
        Unreadable: when it is none.
    """
    config = _decoded(data, Config, "configuration")
    if len(config.history or ()) > MOST_STEPS:
        raise Unreadable("size", f"The image's history has more than {MOST_STEPS} steps; build it again with fewer.")
    return config


def read_files(data: bytes) -> Files:
    """The table of files.

    Raises:
        Unreadable: when it is none, or does not hold all of them.
    """
    files = _decoded(data, Files, "table of files")
    if files.more:
        what = f"The image has {files.more} more files with unusual rights than are looked at; correct the rights of whole folders first."
        raise Unreadable("size", what)
    return files


def _decoded(data: bytes, kind: type[_Document], what: str) -> _Document:
    try:
        return msgspec.json.decode(data, type=kind)
    except (*UNDECODABLE, ValueError) as error:
        raise Unreadable("schema", f"The image's {what} cannot be understood; build the image again: {error}") from error
