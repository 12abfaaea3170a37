"""From a commit that passes to the catalogue: what an endorsement vouches for is found by name, and is gone when it is withdrawn."""

from __future__ import annotations

from typing import Any

from tests.endorsing.conftest import LOCK, Endorsing

from assaymark.checks.application.dependencies.packages import Ecosystem, Package
from assaymark.endorsement.components import ComponentKind, ComponentState
from assaymark.server.work.approved import Derivation, Entry, Wanted
from assaymark.server.work.approved_index import index_approved
from assaymark.store import approved
from assaymark.store import tables as t
from assaymark.store.approved import Search

LEFT_PAD = Package("left-pad", "1.3.0", Ecosystem.NPM)


class Once:
    number, is_last = 1, True

    def should_stop(self) -> bool:
        return False


def asked(shop: Endorsing, package: Package = LEFT_PAD) -> Entry:
    with shop.service.database.read() as link:
        (found,) = Derivation(shop.service, link, shop.service.now()).of_packages([Wanted(package)])
    return found


def test_a_commit_that_is_endorsed_vouches_for_its_packages_and_its_parts(shop: Endorsing) -> None:
    files: dict[str, Any] = {"app": shop.fine, "package-lock.json": LOCK, "infra/main.tf": b'variable "name" {\n  type = string\n}\n'}
    row = shop.endorsed_one(shop.passes("components", **files))
    assert asked(shop).standing.state is ComponentState.NOT_ENDORSED, "what is not noted yet is not approved yet"
    index_approved(shop.service, {}, Once())
    index_approved(shop.service, {}, Once())
    assert asked(shop).standing.state is ComponentState.APPROVED
    with shop.service.database.read() as link:
        found = approved.page(link, Search(), None, 20)
        assert {(each.kind, each.name.rpartition("//")[2]) for each in found if each.kind is not ComponentKind.SOURCE_MODULE} == {
            (ComponentKind.PACKAGE, "npm/left-pad"), (ComponentKind.IAC_MODULE, "infra"),
        }  # fmt: skip
        assert sum(each.kind is ComponentKind.SOURCE_MODULE for each in found) == 1
        entries = Derivation(shop.service, link, shop.service.now()).of_rows(found)
        assert {each.standing.state for each in entries} == {ComponentState.APPROVED}
    with shop.service.database.write() as link:
        taken = {"target": "endorsement", "name": row.digest, "reason": "bad", "at": shop.service.now(), "actor": "test"}
        number = link.execute(t.revocation.insert().returning(t.revocation.c.id), taken).scalar_one()
        withdrawal = {"endorsement": row.id, "revocation": number, "at": shop.service.now()}
        link.execute(t.endorsement_withdrawal.insert(), withdrawal)
    assert asked(shop).standing.state is ComponentState.WITHDRAWN
