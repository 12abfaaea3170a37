"""Transparency log: the reference roots, proofs over random sizes, 200,000 appends per second, truncation and rewriting are found.

    python -m pytest acceptance/issue6/test_log.py

Real measurement: CPU seconds of this process on one core, the best of five rounds, because the machine has other work.
"""

from __future__ import annotations

import random
import time

import pytest
import sqlalchemy as sa
from tests.conftest import (  # noqa: F401 - fixtures
    database_url,
    make_database,
    postgres,
    prepared_sqlite,
    service,
)  # fmt: skip
from tests.endorsement.test_endorsement_merkle import LEAVES, ROOTS

from assaymark.endorsement.log import checkpoint, entry, merkle, proof
from assaymark.endorsement.log.audit import Head
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.log.merkle import Frontier, Tree
from assaymark.model.assessment import Instant
from assaymark.server.logbook import checking, heads
from assaymark.server.service import Service
from assaymark.store import log

NOW = Instant(1_796_000_000_000_000)
APPENDS_A_SECOND = 200_000
BATCH = 10_000
LEAVES_MEASURED = 300_000
TABLES = ("log_entry", "log_subject", "log_tile", "log_checkpoint")


def test_the_eight_roots_of_certificate_transparency() -> None:
    assert [merkle.root(size, Tree(LEAVES).subtree).hex() for size in range(1, 9)] == ROOTS


def test_proofs_over_random_sizes() -> None:
    """1,000 trees: what is true is proved, and the same proof of another leaf, place, size or root is refused."""
    chance = random.Random(6962)
    for _ in range(1000):
        size = chance.randint(1, 3000)
        leaves = [chance.randbytes(8) for _ in range(size)]
        tree = Tree(leaves)
        root = merkle.root(size, tree.subtree)
        index, first = chance.randrange(size), chance.randint(1, size)
        path = merkle.inclusion(index, size, tree.subtree)
        leaf = merkle.leaf_hash(leaves[index])
        assert merkle.is_included(leaf, index, size, path, root)
        assert not merkle.is_included(merkle.leaf_hash(b"x"), index, size, path, root)
        assert not merkle.is_included(leaf, (index + 1) % (size + 1), size, path, root)
        assert not merkle.is_included(leaf, index, size, path, merkle.EMPTY)
        old = merkle.root(first, tree.subtree)
        steps = merkle.consistency(first, size, tree.subtree)
        assert merkle.is_consistent(first, size, old, root, steps)
        assert not merkle.is_consistent(first, size, merkle.EMPTY, root, steps)
        assert not merkle.is_consistent(first, size, old, merkle.EMPTY, steps)


@pytest.mark.parametrize("made", [Tree, Frontier])
def test_200000_appends_a_second_in_batches(made: type[Tree | Frontier]) -> None:
    """Lines of the size that endorsements have; both give the same root."""
    entries = [Entry(EntryType.ENDORSE, NOW, "ada", (f"sha256:{each:064x}",), f"sha256:{each:064x}") for each in range(LEAVES_MEASURED)]
    lines = [entry.line(each, number) for number, each in enumerate(entries)]
    rates = []
    for _ in range(5):
        log_of_round = made()
        begin = time.process_time()
        for start in range(0, LEAVES_MEASURED, BATCH):
            log_of_round.append(lines[start : start + BATCH])
        rates.append(LEAVES_MEASURED / (time.process_time() - begin))
        assert log_of_round.size == LEAVES_MEASURED
    print(f"{made.__name__}: {max(rates):,.0f} appends per second")
    assert max(rates) >= APPENDS_A_SECOND


def append(service: Service, number: int, text: str) -> None:  # noqa: F811 - the fixture's name
    with service.database.write() as link:
        log.append(link, [Entry(EntryType.ENDORSE, NOW, "ada", (f"sha256:{each:064x}",), "", {"text": text}) for each in range(number)])


def unguarded(service: Service, *statements: str) -> None:  # noqa: F811 - the fixture's name
    """By whoever owns the database."""
    with service.database.write() as link:
        for table in TABLES:
            if service.database.is_sqlite:
                for kind in ("stays", "only_grows"):
                    link.execute(sa.text(f"DROP TRIGGER IF EXISTS {table}_{kind}"))
            else:
                link.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for statement in statements:
            link.execute(sa.text(statement))


def defects(service: Service, *pinned: Head) -> list[str]:  # noqa: F811 - the fixture's name
    with service.database.read() as link:
        return checking.verify(link, pinned).defects


def test_truncation_and_rewriting_of_a_stored_log_are_found(service: Service) -> None:  # noqa: F811 - the fixture's name
    append(service, 1000, "as it was")
    with service.database.write() as link:
        pin = Head(checkpoint.read(heads.current(service, link).note.encode())[0], "a pin")
        file = heads.proof_of(service, link, 700)
        trusted = proof.trusted_of(heads.trust_in(service, link))
    assert proof.proved(file, trusted).seq == 700
    assert defects(service, pin) == []
    unguarded(service, "DELETE FROM log_entry WHERE seq >= 990")
    assert any("cut off" in each for each in defects(service))
    unguarded(service, *(f"DELETE FROM {table}" for table in TABLES))
    append(service, 1000, "as somebody wants it")
    assert defects(service) == []  # consistent in itself: nothing inside tells
    assert defects(service, pin) == ["the log was rewritten: its first 1000 entries are not those of the checkpoint of a pin"]
    with service.database.write() as link:
        assert heads.proof_of(service, link, 700) != file
