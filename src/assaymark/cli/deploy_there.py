"""A server beside a deployer: asked for endorsements, for what it took back and what it wants, and told every step.

Guarantees: it is never needed. What it does not answer within seconds is noted, and not asked for again for a while; steps that it could
not be told wait in the journal, and are told by whoever deploys next, in order and at least once (the server takes each number once).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from assaymark.cli.server_there import Server, document, plain, server_at
from assaymark.deployment.drift.instances import Looked
from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.phoenix.generation import Step
from assaymark.deployment.phoenix.journal import Journal
from assaymark.deployment.phoenix.round import Away, Wanted
from assaymark.deployment.phoenix.terms import ServerTerms
from assaymark.errors import AssayError

ASK_SECONDS = 5.0
TELL_SECONDS = 10.0
PAUSE_SECONDS = 30.0
LAST_SECONDS = 10.0
"""For which the end of a command waits for what is still to be told."""
MOST_STEPS = 200
_MOST_DRIFTS = 1000


class There:
    """One server, from the terms."""

    def __init__(self, terms: ServerTerms) -> None:
        self._terms = terms
        self.notes: list[str] = []
        self._until = 0.0
        self._lock = threading.Lock()
        self._server: Server | None = None
        if terms.url:
            try:
                self._server = server_at(terms.url, Path(terms.token_file) if terms.token_file else None)
            except AssayError as error:
                self._note(f"{error.what}{': ' if error.why else ''}{error.why}")

    def is_at(self, terms: ServerTerms) -> bool:
        """Whether these terms mean this one."""
        return self._terms == terms

    @property
    def url(self) -> str:
        return self._server.url if self._server else ""

    def bundles(self, digest: str) -> bytes:
        """Endorsements that it holds of a digest, a line each; nothing when it does not answer."""
        listed = self._asked(f"/attestations/{quote(digest, safe=':')}").get("attestations")
        found = [each.get("bundle") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        return b"\n".join(msgspec.json.encode(each) for each in found)

    def taken_back(self, digest: str, pair: Pair) -> str:
        """Why it took the approval of a digest back; nothing when it did not, or does not answer."""
        said = self._asked("/verification?" + urlencode({"digest": digest, "environment": pair.environment}))
        refused = said.get("refused")
        words = (
            [each for each in refused if isinstance(each, dict) and each.get("reason") == "revoked"] if isinstance(refused, list) else []
        )
        return plain(str(words[0].get("text", "")))[:500] or "the server took it back" if words else ""

    def wanted(self, pair: Pair) -> Wanted | None:
        """What it wants of a pair; None when it does not say."""
        said = self._asked("/deployments/wanted?" + urlencode({"environment": pair.environment, "component": pair.component}))
        items = said.get("items")
        named = [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []
        exact = [each for each in named if (each.get("environment"), each.get("component")) == (pair.environment, pair.component)]
        if len(exact) > 1:
            self._note(f"{pair} is there for {len(exact)} teams: use a token of one team")
        return _wanted(exact[0]) if len(exact) == 1 else None

    def tell(self, pair: Pair, steps: Sequence[Step], told: int) -> int:
        """Tell the steps after `told`; how many it has now. Never raises."""
        told, anew = min(told, len(steps)), False  # a journal that was brought back from a backup may be shorter
        while told < len(steps):
            part = steps[told : told + MOST_STEPS]
            body = {"environment": pair.environment, "component": pair.component, "steps": msgspec.to_builtins(part)}
            status, said = self._called("POST", "/deployments/steps", body, TELL_SECONDS)
            known = said.get("steps")
            if status == 409 and str(said.get("type", "")).endswith("/steps-missing") and not anew:
                told, anew = 0, True  # another server, or one that lost some: all of it, once
            elif 200 <= status < 300 and isinstance(known, int) and told < known <= len(steps):
                told = known
            else:
                break
        return told

    def tell_seen(self, pair: Pair, generation: int, seen: Looked) -> None:
        """Tell what a look found, also when it is nothing. Never raises."""
        body = {"environment": pair.environment, "component": pair.component, "generation": generation, "looked": seen.ids}
        self._called("POST", "/deployments/drifts", body | {"drifts": msgspec.to_builtins(seen.drifts[:_MOST_DRIFTS])}, ASK_SECONDS)

    def taken_notes(self) -> tuple[str, ...]:
        """What is to be said, once."""
        with self._lock:
            found, self.notes = tuple(self.notes), []
        return found

    def _asked(self, path: str) -> dict[str, Any]:
        status, said = self._called("GET", path, None, ASK_SECONDS)
        return said if 200 <= status < 300 else {}

    def _called(self, method: str, path: str, body: Any, seconds: float) -> tuple[int, dict[str, Any]]:
        """Status and document; 0 where it is left alone or does not answer."""
        if self._server is None or time.monotonic() < self._until:
            return 0, {}
        try:
            status, data = self._server.call(method, path, body, seconds)
        except AssayError as error:
            self._note(f"{error.what}: {error.why}")
            self._until = time.monotonic() + PAUSE_SECONDS
            return 0, {}
        said = document(data)
        if 200 <= status < 300:
            return status, said
        title, why = (plain(str(said.get(name) or ""))[:300] for name in ("title", "detail"))
        self._note(f"{self._server.url} answers {status} to {method} {path.partition('?')[0]}: {title} {why}".strip())
        return status, said

    def _note(self, text: str) -> None:
        with self._lock:
            if text not in self.notes:
                self.notes.append(text)


class Teller:
    """Tells the steps of an open journal beside the deploy, which never waits for it; at the end for some seconds."""

    def __init__(self, there: There, journal: Journal) -> None:
        self._there, self._journal = there, journal
        self._work, self._over = threading.Event(), False
        self._thread: threading.Thread | None = None
        if there.url:
            journal.watchers.append(lambda _: self._work.set())
            self._thread = threading.Thread(target=self._run, name="teller", daemon=True)

    def __enter__(self) -> None:
        if self._thread is not None:
            self._work.set()  # what an earlier run could not tell
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._over = True
            self._work.set()
            self._thread.join(LAST_SECONDS)

    def _run(self) -> None:
        told = self._journal.told_to_server
        while True:
            self._work.wait()
            self._work.clear()
            over, steps = self._over, self._journal.steps
            known = self._there.tell(self._journal.pair, steps, told)
            if known != told:
                told = known
                with suppress(OSError):  # told again next time, which does no harm
                    self._journal.told_to_server = told
            if over:
                return


def _wanted(said: dict[str, Any]) -> Wanted:
    def text(name: str) -> str:
        return plain(str(said.get(name) or ""))[:1000]

    wishes = said.get("do") in {"deploy", "replace"}
    return Wanted(
        digest=text("digest") if wishes else "", image=text("image") if wishes else "", actor=text("promoted_by"),
        pins=said.get("pins") is True, releases=said.get("releases") is True, stop=said.get("do") == "stop", why=text("why"),
        looked_away=_looked_away(said.get("looked_away")),
    )  # fmt: skip


def _looked_away(said: Any) -> tuple[Away, ...]:
    try:
        return msgspec.convert(said or (), tuple[Away, ...])
    except msgspec.ValidationError:
        return ()  # nothing is looked away from by what makes no sense
