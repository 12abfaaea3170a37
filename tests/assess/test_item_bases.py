"""What an image inherits from its base is one item over all images that begin with it, and another base is another item."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.store.recording_samples import COMMIT, add_subject, add_team, seen, verdict

from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.cause import CauseKind
from assaymark.model.finding import Core, Kind, RuleClassId
from assaymark.model.identity import fingerprint
from assaymark.model.verdict import Judged, Verdict
from assaymark.server.service import Service
from assaymark.server.work import holdings
from assaymark.server.work.beginnings import look
from assaymark.server.work.holdings import Grounds
from assaymark.server.work.inventory import Seen, _write
from assaymark.store import items
from assaymark.store.items import Filter, ItemRow
from assaymark.store.tables import occurrence, subject
from assaymark.subjects.image.subject import ImageSubject

RELEASE = b'ID=debian\nVERSION_ID="12"\n'


def status(**packages: str) -> bytes:
    rows = (
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n" for name, version in packages.items()
    )
    return "\n".join(rows).encode()


def layer(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            row = tarfile.TarInfo(name)
            row.size = len(content)
            tar.addfile(row, io.BytesIO(content))
    return out.getvalue()


BASE = layer({"var/lib/dpkg/status": status(openssl="3.0.1", zlib="1.2"), "etc/os-release": RELEASE, "usr/lib/os-release": RELEASE})
NEWER = layer({"var/lib/dpkg/status": status(openssl="3.0.2", zlib="1.2"), "etc/os-release": RELEASE, "usr/lib/os-release": RELEASE})


def image(folder: Path, name: str, *layers: bytes) -> ImageSubject:
    """As ``docker save`` writes it."""
    ids = [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in layers]
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": ids}, "name": name}).encode()
    rows = [{"Config": "config.json", "RepoTags": [name], "Layers": [f"{at}.tar" for at in range(len(layers))]}]
    files = {f"{at}.tar": each for at, each in enumerate(layers)} | {"config.json": config, "manifest.json": json.dumps(rows).encode()}
    path = folder / f"{name}.tar"
    path.write_bytes(layer(files))
    return ImageSubject(str(path), name=name)


def hit(advisory: str, package: str, version: str) -> Judged:
    made = seen("x", "var/lib/dpkg/status", kind=Kind.COMPONENT, rule="dependencies/vulnerable", rule_class="vulnerable-dependency")
    core = Core(Kind.COMPONENT, RuleClassId("vulnerable-dependency"), (package, advisory))
    found = msgspec.structs.replace(made.finding, core=core, fingerprint=fingerprint(core, "scope/1"), notes=(("version", version),))
    return msgspec.structs.replace(made, finding=found)


def judged(*found: Judged) -> Verdict:
    return verdict(*found, checks=("dependencies",))


def take_stock(service: Service, number: SubjectId, files: ImageSubject, found: Verdict) -> None:
    looked = holdings.Looked((), Grounds(), Instant(0))
    with service.database.write() as link:
        link.execute(subject.update().where(subject.c.id == number).values(head=COMMIT))
    _write(service, number, Seen(COMMIT, found, looked, look(service, number, files)))


def listed(service: Service) -> list[ItemRow]:
    with service.database.read() as link:
        return items.page(link, None, Filter())[0]


def purl(files: ImageSubject, service: Service, number: SubjectId, name: str) -> str:
    """As the inventory names it."""
    beginning = look(service, number, files)
    assert beginning is not None
    return next(each.rpartition("@")[0] for each in beginning.inherited if f"/{name}" in each)


@pytest.fixture
def images(service: Service, tmp_path: Path) -> dict[str, tuple[SubjectId, ImageSubject]]:
    def add(name: str, *layers: bytes) -> tuple[SubjectId, ImageSubject]:
        return add_subject(service.database, name, kind="image"), image(tmp_path, name, *layers)

    return {name: add(name, BASE, layer({"app/a": name.encode()})) for name in ("shop", "desk", "mail")}


def test_what_images_inherit_from_one_base_is_one_item(service: Service, images: Any) -> None:
    number, files = images["shop"]
    openssl, zlib = (purl(files, service, number, name) for name in ("openssl", "zlib"))
    hits = [hit(f"CVE-{at}", openssl, "3.0.1") for at in range(10)] + [hit(f"CVE-{at}", zlib, "1.2") for at in range(10, 17)]
    for number, files in images.values():
        take_stock(service, number, files, judged(*hits))
    (row,) = listed(service)
    assert (row.cause, row.findings, row.subjects) == (CauseKind.BASE_IMAGE, 51, 3)
    assert "debian" in row.title


def test_what_an_image_adds_itself_is_not_its_bases(service: Service, images: Any, tmp_path: Path) -> None:
    _, files = images["shop"]
    number = add_subject(service.database, "own", kind="image")
    own = image(tmp_path, "own", BASE, layer({"var/lib/dpkg/status": status(openssl="3.0.1", zlib="1.2", curl="7.0")}))
    name = purl(files, service, number, "openssl")
    take_stock(service, number, own, judged(hit("CVE-1", name, "3.0.1"), hit("CVE-2", name.replace("openssl", "curl"), "7.0")))
    assert sorted(row.cause for row in listed(service)) == [CauseKind.BASE_IMAGE, CauseKind.PACKAGE]


def test_a_base_that_is_known_here_gives_its_name_and_stays_the_same_when_it_is_renewed(service: Service, tmp_path: Path) -> None:
    base, app = (add_subject(service.database, name, kind="image") for name in ("registry/base", "registry/app"))
    top = layer({"app/a": b"x"})
    take_stock(service, base, image(tmp_path, "base1", BASE), judged())
    files = image(tmp_path, "app1", BASE, top)
    zlib = purl(files, service, app, "zlib")
    take_stock(service, app, files, judged(hit("CVE-1", zlib, "1.2")))
    (row,) = listed(service)
    assert row.title == "Base image registry/base"
    take_stock(service, base, image(tmp_path, "base2", NEWER), judged())
    take_stock(service, app, image(tmp_path, "app2", NEWER, top), judged(hit("CVE-1", zlib, "1.2")))
    (again,) = listed(service)
    assert (again.id, again.since) == (row.id, row.since)


def test_another_base_is_another_item_and_the_past_keeps_the_former(service: Service, images: Any, tmp_path: Path) -> None:
    number, files = images["shop"]
    zlib = purl(files, service, number, "zlib")
    take_stock(service, number, files, judged(hit("CVE-1", zlib, "1.2")))
    (before,) = listed(service)
    at = service.now()
    take_stock(service, number, image(tmp_path, "shop2", NEWER, layer({"app/a": b"2"})), judged(hit("CVE-1", zlib, "1.2")))
    (after,) = listed(service)
    assert after.id != before.id
    with service.database.read() as link:
        then = items.page(link, None, Filter(at=at))[0]
        assert [row.id for row in then] == [before.id]
        open_rows = link.execute(sa.select(occurrence.c.item, occurrence.c.since).where(occurrence.c.closed_at.is_(None))).all()
        assert [(row.item, row.since <= at) for row in open_rows] == [(after.id, True)]
        assert len(items.occurrences_of(link, None, before.id, items.Part(), at=at)[0]) == 1


def test_an_image_of_one_layer_begins_with_nothing(service: Service, tmp_path: Path) -> None:
    number = add_subject(service.database, "one", kind="image")
    beginning = look(service, number, image(tmp_path, "one", BASE))
    assert beginning is not None
    assert (beginning.base, beginning.inherited) == ("", ())


def test_the_name_of_another_teams_image_is_not_told(service: Service, tmp_path: Path) -> None:
    red, blue = add_team(service.database, "red"), add_team(service.database, "blue")
    base = add_subject(service.database, "secret-base", kind="image", team=red)
    app = add_subject(service.database, "app", kind="image", team=blue)
    take_stock(service, base, image(tmp_path, "base", BASE), judged())
    beginning = look(service, app, image(tmp_path, "app", BASE, layer({"app/a": b"x"})))
    assert beginning is not None
    assert "secret-base" not in beginning.name
