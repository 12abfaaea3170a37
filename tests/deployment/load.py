"""Constant load on an edge: some clients keep their connections, some make one per request; every request is written down."""

from __future__ import annotations

import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Self


class Load:
    """It, from entering to leaving."""

    def __init__(self, listen: str, *, keeping: int = 2, anew: int = 2, path: str = "/", pause: float = 0.002) -> None:
        self._host, _, port = listen.rpartition(":")
        self._port, self._path, self._pause = int(port), path, pause
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(kept,), daemon=True) for kept in (True,) * keeping + (False,) * anew]
        self.answers: Counter[str] = Counter()
        """By word."""
        self.failed: list[str] = []
        self.taken: list[float] = []
        """Seconds."""

    @property
    def requests(self) -> int:
        return sum(self.answers.values()) + len(self.failed)

    def percentile(self, part: float) -> float:
        """Milliseconds."""
        found = sorted(self.taken)
        return found[min(int(len(found) * part), len(found) - 1)] * 1000 if found else 0.0

    def wait_for(self, word: str, more: int = 5, seconds: float = 20) -> None:
        """Until so many further requests were answered with this word."""
        until, wanted = time.monotonic() + seconds, self.answers[word] + more
        while self.answers[word] < wanted:
            assert time.monotonic() < until, (word, self.answers, self.failed[:3])
            time.sleep(0.005)

    def _ask(self, kept: bool) -> None:
        connection = HTTPConnection(self._host, self._port, timeout=20)
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                connection.request("GET", self._path)
                answer = connection.getresponse()
                word = answer.read().decode().strip()
                if answer.status == 200:
                    self.answers[word] += 1
                else:
                    self.failed.append(f"{answer.status} {word}")
            except (OSError, HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
            self.taken.append(time.monotonic() - began)
            if not kept:
                connection.close()
            time.sleep(self._pause)
        connection.close()

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        for each in self._threads:
            each.join(30)
