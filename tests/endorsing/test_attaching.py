"""What the server endorsed lies beside its image, in a real registry, where a connection says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.assess.conftest import Once
from tests.endorsement.approvals import KEY, claims, statement_of
from tests.endorsement.places import debian_registry
from tests.endorsement.places.registries import Image
from tests.endorsing.conftest import Endorsing

from assaymark.endorsement import bundle, dsse
from assaymark.endorsement.places import dot_att, oci
from assaymark.endorsement.places.direct import send
from assaymark.endorsement.places.reference import Reference
from assaymark.endorsement.places.registry import Registry
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.errors import SubjectUnreadable
from assaymark.model.digest import Digest
from assaymark.server.work import attaching
from assaymark.server.work.handlers import handler
from assaymark.store import connections, endorsements, tables

NAME = "shop/web"
pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with debian_registry.running(tmp_path_factory.mktemp("registry")) as found:
        yield found


class Attaching:
    """A shop with an image that is endorsed, and a connection to its registry."""

    def __init__(self, shop: Endorsing, host: str, image: Image, **options: Any) -> None:
        self.shop, self.host, self.image = shop, host, image
        self.service = replace(shop.service, settings=replace(shop.service.settings, private_networks=("127.0.0.0/8",)))
        kept = {"kind": "registry", "name": "hub", "web_url": f"http://{host}", "api_url": "", "created_at": 1}
        with self.service.database.write() as link:
            connections.create(link, {**kept, "options": msgspec.json.encode(options).decode()})

    def endorsed(self) -> tuple[bytes, Digest]:
        """A row of an image's endorsement, as it is written down, and whether a job was put."""
        subjects = (Named(NAME, {"sha256": self.image.digest[7:]}), Named(f"{NAME}#config", {"sha256": self.image.config("amd64")[7:]}))
        resource = f"oci://{self.host}/{NAME}"
        payload = statement_of(claims(resource_uri=resource), subjects)
        data = bundle.written(dsse.sign(PAYLOAD_TYPE, payload, KEY))
        number = self.shop.passes()
        name = self.service.blobs.put(payload)
        new = endorsements.New(
            digest=name, bundle=self.service.blobs.put(data), assessment=number, subject=self.shop.row(number).subject, team=None,
            kind="image", head=self.image.digest, resource=resource, verifier="v", engine="e", rules="r", policy="p", advisories="",
            verdict="", levels=(), environments=(), approved_by=(), verified_at=self.service.now(), expires_at=self.service.now(),
            made_at=self.service.now(),
        )  # fmt: skip
        with self.service.database.write() as link:
            endorsements.add(link, new, endorsements.Index((self.image.digest,), (KEY.public.id,)))
            self.is_wanted = attaching.attach_later(self.service, link, None, resource, name)
        return data, name

    @property
    def registry(self) -> Registry:
        return Registry(send, Reference(self.host, NAME, plain=True))

    def outcomes(self) -> list[str]:
        a = tables.audit_event.c
        with self.service.database.read() as link:
            rows = link.execute(tables.audit_event.select().where(a.action == "endorsement.attached").order_by(a.id))
            return [row.outcome for row in rows]


def test_it_lies_there_afterwards_and_twice_changes_nothing(lite: Endorsing, host: str) -> None:
    image = Image("attached")
    debian_registry.pushed(host, image)
    place = Attaching(lite, host, image, attach=True, attest=True)
    data, name = place.endorsed()
    assert place.is_wanted
    for _ in range(2):
        handler(attaching.KIND)(place.service, {"endorsement": name}, Once())
    assert oci.fetch(place.registry, image.digest) == (data,)
    assert len(dot_att.fetch(place.registry, image.digest)) == 1
    assert len(oci.listed(place.registry, image.digest)) == 1
    assert place.outcomes() == ["success", "success"]


def test_nothing_is_attached_where_nobody_asked_for_it(lite: Endorsing, host: str) -> None:
    image = Image("unasked")
    debian_registry.pushed(host, image)
    place = Attaching(lite, host, image)
    _, name = place.endorsed()
    assert not place.is_wanted
    handler(attaching.KIND)(place.service, {"endorsement": name}, Once())
    assert oci.fetch(place.registry, image.digest) == ()


def test_an_image_that_is_gone_is_written_down_and_not_tried_again(lite: Endorsing, host: str) -> None:
    place = Attaching(lite, host, Image("never pushed"), attach=True)
    _, name = place.endorsed()
    handler(attaching.KIND)(place.service, {"endorsement": name}, Once())
    assert place.outcomes() == ["refused"]


def test_a_registry_that_is_silent_is_tried_again(lite: Endorsing) -> None:
    place = Attaching(lite, "127.0.0.1:9000", Image("silent"), attach=True)
    _, name = place.endorsed()
    with pytest.raises(SubjectUnreadable):
        handler(attaching.KIND)(place.service, {"endorsement": name}, Once())


def test_a_registry_inside_is_not_gone_to_unless_its_network_is_allowed(lite: Endorsing, host: str) -> None:
    image = Image("inside")
    debian_registry.pushed(host, image)
    place = Attaching(lite, host, image, attach=True)
    _, name = place.endorsed()
    place.service = lite.service
    handler(attaching.KIND)(lite.service, {"endorsement": name}, Once())
    assert place.outcomes() == ["refused"]
    assert oci.fetch(place.registry, image.digest) == ()
