"""Laws of writers who share one list: whatever the order of their requests, and whoever is killed in between, nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.endorsement.approvals import claims, signer, statement_of
from tests.endorsement.places.registries import HOST, INDEX, MANIFEST, Image, MemoryRegistry

from assaymark.endorsement import bundle, dsse
from assaymark.endorsement.places import documents, oci
from assaymark.endorsement.places.access import PUSH
from assaymark.endorsement.places.door import Ask, Said
from assaymark.endorsement.places.reference import Reference
from assaymark.endorsement.places.registry import Registry
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named

NAME, WRITERS = "shop/web", 4
KEY, IMAGE = signer("ed25519"), Image()


def endorsed(number: int) -> bytes:
    said = statement_of(claims(resource_uri=f"oci://{HOST}/{number}"), (Named(NAME, {"sha256": IMAGE.digest[7:]}),))
    return bundle.written(dsse.sign(PAYLOAD_TYPE, said, KEY))


BUNDLES = [endorsed(number) for number in range(WRITERS)]
LATE = endorsed(WRITERS)


class KilledError(Exception):
    """A writer's process ended here."""


class Turns:
    """Lets one request through at a time, in an order that is given; a writer may be killed before one of its requests."""

    def __init__(self, memory: MemoryRegistry, order: Sequence[int], kill: tuple[int, int] | None) -> None:
        self.memory, self.order, self.kill = memory, list(order), kill
        self.waiting: dict[int, threading.Event] = {}
        self.asked = dict.fromkeys(range(WRITERS), 0)
        self.done: dict[int, str] = {}
        self.back = threading.Semaphore(0)

    def send_of(self, writer: int) -> Registry:
        def send(ask: Ask) -> Said:
            mine = self.waiting[writer] = threading.Event()
            self.back.release()
            mine.wait()
            self.asked[writer] += 1
            if self.kill == (writer, self.asked[writer]):
                raise KilledError
            return self.memory.send(ask)

        return Registry(send, Reference(HOST, NAME), actions=PUSH)

    def work(self, writer: int) -> None:
        try:
            oci.attach(self.send_of(writer), IMAGE.digest, BUNDLES[writer], sleep=lambda _: None)
            self.done[writer] = "done"
        except KilledError:
            self.done[writer] = "killed"
        except Exception as error:  # noqa: BLE001 - told by the test
            self.done[writer] = repr(error)
        self.back.release()

    def run(self) -> None:
        threads = [threading.Thread(target=self.work, args=(each,), daemon=True) for each in range(WRITERS)]
        for thread in threads:
            thread.start()
        for _ in threads:
            self.back.acquire()
        turn = 0
        while self.waiting:
            ready = sorted(self.waiting)
            chosen = ready[(self.order[turn % len(self.order)] + turn // len(self.order)) % len(ready)]
            turn += 1
            self.waiting.pop(chosen).set()
            self.back.acquire()
        for thread in threads:
            thread.join()


@settings(max_examples=150)
@given(
    order=st.lists(st.integers(0, WRITERS - 1), min_size=8, max_size=80),
    kill=st.none() | st.tuples(st.integers(0, WRITERS - 1), st.integers(1, 14)),
    conditions=st.booleans(),
)
def test_whoever_was_done_is_in_the_list_when_the_last_one_stops(order: list[int], kill: tuple[int, int] | None, conditions: bool) -> None:
    memory = MemoryRegistry(referrers=False, page=100, conditions=conditions)
    IMAGE.into(memory)
    theirs = memory.keep(msgspec.json.encode({"schemaVersion": 2, "subject": {"digest": IMAGE.digest}}))
    entry = {"mediaType": MANIFEST, "digest": theirs, "size": 1, "x-theirs": True}
    tag = documents.fallback_tag(IMAGE.digest)
    memory.keep(msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}), INDEX, tag)
    turns = Turns(memory, order, kill)
    turns.run()
    assert set(turns.done.values()) <= {"done", "killed"}, turns.done
    found = oci.fetch(Registry(memory.send, Reference(HOST, NAME)), IMAGE.digest)
    if "killed" in turns.done.values():  # whoever comes next makes good what one who was killed left behind
        oci.attach(Registry(memory.send, Reference(HOST, NAME), actions=PUSH), IMAGE.digest, LATE, sleep=lambda _: None)
    listed = {row["digest"] for row in memory.tagged(tag)["manifests"]}
    finished = [number for number, how in turns.done.items() if how == "done"]
    subject = documents.Part(INDEX, IMAGE.digest, len(IMAGE.index))
    assert entry in memory.tagged(tag)["manifests"]
    assert {documents.attachment(subject, BUNDLES[number]).digest for number in finished} <= listed
    assert {BUNDLES[number] for number in finished} <= set(found)
