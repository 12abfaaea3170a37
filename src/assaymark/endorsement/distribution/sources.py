"""Where a client gets files from: a server by its address, or an archive that was brought. Bounds and digests are TUF's business."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from http.client import HTTPException
from typing import Protocol

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient import FetcherInterface

from assaymark.errors import AssayError

ARCHIVE = "archive:/"


class Answer(Protocol):
    """What a server says."""

    @property
    def status(self) -> int: ...

    @property
    def pieces(self) -> Iterator[bytes]: ...


class Ask(Protocol):
    """Sends headers to an address, going to permitted ones only (`advisories.download.ask_directly`)."""

    def __call__(self, url: str, headers: Mapping[str, str], /) -> AbstractContextManager[Answer]: ...


class Server(FetcherInterface):
    """Files of a server."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            with self._ask(url, {"User-Agent": "assaymark", "Cache-Control": "no-cache"}) as answer:
                if answer.status != 200:
                    raise DownloadHTTPError(f"{url} answers {answer.status}", answer.status)
                yield from answer.pieces
        except AssayError as error:
            raise DownloadError(f"{error.what}: {error.why}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise DownloadError(f"{url} cannot be fetched: {error}") from error


class Archive(FetcherInterface):
    """Files of an archive."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def _fetch(self, url: str) -> Iterator[bytes]:
        data = self._files.get(url.removeprefix(ARCHIVE).lstrip("/"))
        if data is None:
            raise DownloadHTTPError(f"the archive has no {url.removeprefix(ARCHIVE)}", 404)
        yield data
