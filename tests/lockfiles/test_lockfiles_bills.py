"""Bills of materials: official schemas, nothing lost on the way there and back, the same bytes for the same content."""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lockfiles.lock_form import SRI, Sample
from tests.lockfiles.lock_samples import SAMPLES

from assaymark.checks.application.dependencies.bom.bill import Bill, joined
from assaymark.checks.application.dependencies.bom.cyclonedx import cyclonedx
from assaymark.checks.application.dependencies.bom.purl import Purl, PurlInvalid, package_of, parse, purl_of
from assaymark.checks.application.dependencies.bom.spdx import spdx
from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers import read
from assaymark.checks.application.dependencies.readers.gathering import Gathering
from assaymark.checks.application.dependencies.readers.texts import sri_of
from assaymark.model.check import Dialect

SCHEMAS = Path(__file__).parent / "schemas"
WRITERS: dict[str, Callable[[Bill], bytes]] = {"cyclonedx": cyclonedx, "spdx": spdx}
NAMES = [f"{each.dialect} {each.path}" for each in SAMPLES]
LOCAL = {
    "http://cyclonedx.org/schema/spdx.schema.json": "cyclonedx-spdx-ids.schema.json",
    "http://cyclonedx.org/schema/jsf-0.82.schema.json": "jsf-0.82.schema.json",
}


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text("utf-8"))


@cache
def validator(form: str) -> Any:
    if form == "spdx":
        return jsonschema_rs.validator_for(schema("spdx-2.3.schema.json"))
    return jsonschema_rs.validator_for(schema("cyclonedx-1.6.schema.json"), retriever=lambda uri: schema(LOCAL[uri]))


def written(form: str, bill: Bill) -> bytes:
    """The document, after it was held to its schema."""
    document = WRITERS[form](bill)
    assert [f"{list(e.instance_path)}: {e.message}" for e in validator(form).iter_errors(json.loads(document))] == []
    return document


def bill_of(sample: Sample) -> Bill:
    return Bill("project", read(Dialect(sample.dialect), sample.text.encode()), tool="1.0")


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_a_set_comes_back_as_it_was(form: str, sample: Sample) -> None:
    bill = bill_of(sample)
    assert read(Dialect(form), written(form, bill)) == bill.packages


@pytest.mark.parametrize("form", WRITERS)
def test_all_lock_files_of_a_subject_are_one_bill(form: str) -> None:
    sets = [(each.path, bill_of(each).packages) for each in SAMPLES]
    packages, places = joined(sets)
    bill = Bill("project", packages, places, "1.0", "2026-01-01T00:00:00Z", "1.0")
    assert read(Dialect(form), written(form, bill)) == packages
    assert {(p.ecosystem, p.name, p.version) for _, one in sets for p in one.packages} == {
        (p.ecosystem, p.name, p.version) for p in packages.packages
    }
    assert len(packages.problems) == 1
    assert packages.problems[0][1].startswith("pom.xml:11: ")


@pytest.mark.parametrize("form", WRITERS)
def test_the_order_of_lock_files_does_not_matter(form: str) -> None:
    sets = [(each.path, bill_of(each).packages) for each in SAMPLES]
    documents = {WRITERS[form](Bill("project", *joined(order))) for order in (sets, sets[::-1])}
    assert len(documents) == 1


@pytest.mark.parametrize("form", WRITERS)
def test_no_clock_is_read_and_content_alone_makes_the_number(form: str) -> None:
    one, other = bill_of(SAMPLES[0]), bill_of(SAMPLES[1])
    assert WRITERS[form](one) == WRITERS[form](one)
    numbers = [json.loads(WRITERS[form](each)) for each in (one, other)]
    key = "serialNumber" if form == "cyclonedx" else "documentNamespace"
    assert numbers[0][key] != numbers[1][key]
    assert "timestamp" not in json.loads(cyclonedx(one))["metadata"]
    assert json.loads(spdx(one))["creationInfo"]["created"] == "1970-01-01T00:00:00Z"


def test_the_graph_is_in_the_document() -> None:
    document = json.loads(cyclonedx(bill_of(next(each for each in SAMPLES if each.path == "uv.lock"))))
    edges = {row["ref"]: row.get("dependsOn", []) for row in document["dependencies"]}
    assert edges["pkg:pypi/alpha@1.0.0"] == ["pkg:pypi/beta@2.0.0"]
    assert edges[document["metadata"]["component"]["bom-ref"]] == ["pkg:pypi/alpha@1.0.0", "pkg:pypi/gamma@3.0.0"]
    assert [row["scope"] for row in document["components"] if row["name"] == "gamma"] == ["excluded"]


def test_hashes_of_npm_are_in_hexadecimal_there_and_as_npm_writes_them_here() -> None:
    bill = bill_of(SAMPLES[0])
    assert [p.hashes for p in bill.packages.packages if p.name == "alpha"] == [(SRI,)]
    row = next(each for each in json.loads(cyclonedx(bill))["components"] if each["name"] == "alpha")
    assert row["hashes"] == [{"alg": "SHA-512", "content": binascii.a2b_base64(SRI[7:]).hex()}]


def test_gaps_are_in_the_document() -> None:
    bill = Bill("project", PackageSet((), problems=((3, "alpha names no exact version"),)))
    document = json.loads(written("cyclonedx", bill))
    assert document["compositions"] == [{"aggregate": "incomplete", "assemblies": ["assaymark:subject"]}]
    assert "alpha names no exact version" in cyclonedx(bill).decode()


# --- any set ---------------------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\n\r", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
SUMS = st.sampled_from(["sha256:" + "0f" * 32, "sha1:" + "a0" * 20, "sha224:" + "1b" * 28, "odd:1", "sha512:ff", SRI, "sha1-x"])
PACKAGES = st.builds(
    Package,
    name=WORDS | st.sampled_from(["a:b", "@a/b", "example.org/Upper/Case", "A_b.c"]),
    version=WORDS,
    ecosystem=st.sampled_from(Ecosystem),
    line=st.integers(0, 9_999),
    direct=st.booleans(),
    development=st.booleans(),
    source=st.sampled_from(Source),
    upstream=st.just("") | st.sampled_from(["curl", "Z z"]),
    hashes=st.lists(SUMS, unique=True, max_size=3).map(lambda rows: tuple(sorted(rows))),
)


def as_written(package: Package) -> tuple[str, ...]:
    """Only npm's tools write hashes in base64."""
    if package.ecosystem is Ecosystem.NPM:
        return tuple(sorted(map(sri_of, package.hashes)))
    return tuple(each for each in package.hashes if ":" in each)


@st.composite
def sets(draw: st.DrawFn) -> PackageSet:
    gathering = Gathering(knows_direct=draw(st.booleans()), knows_needs=True)
    rows = draw(st.lists(PACKAGES, max_size=6, unique_by=lambda p: (p.ecosystem, p.name, p.version, p.source)))
    places = [gathering.add(msgspec.structs.replace(row, hashes=as_written(row))) for row in rows]
    for _ in range(draw(st.integers(0, 5)) if places else 0):
        gathering.need(draw(st.sampled_from(places)), draw(st.sampled_from(places)))
    return gathering.finished(draw(st.sampled_from(["", "12", "v3.19"])))


@pytest.mark.parametrize("form", WRITERS)
@given(packages=sets())
@settings(max_examples=60, deadline=None)
def test_any_set_comes_back_and_any_document_is_valid(form: str, packages: PackageSet) -> None:
    assert read(Dialect(form), written(form, Bill("project", packages))) == packages


# --- package URLs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "url"),
    [
        (Package("requests", "2.0", Ecosystem.PYPI), "pkg:pypi/requests@2.0"),
        (Package("@scope/a", "1.0.0+b", Ecosystem.NPM), "pkg:npm/%40scope/a@1.0.0%2Bb"),
        (Package("github.com/BurntSushi/toml", "v1.0.0", Ecosystem.GO), "pkg:golang/github.com/burntsushi/toml@v1.0.0"),
        (Package("org.example:alpha", "1.0", Ecosystem.MAVEN), "pkg:maven/org.example/alpha@1.0"),
        (Package("Newtonsoft.Json", "13.0.1", Ecosystem.NUGET), "pkg:nuget/Newtonsoft.Json@13.0.1"),
        (Package("acme/alpha", "v1.0", Ecosystem.PACKAGIST), "pkg:composer/acme/alpha@v1.0"),
        (Package("github.com/vapor/vapor", "4.0.0", Ecosystem.SWIFT), "pkg:swift/github.com/vapor/vapor@4.0.0"),
        (Package("ShareKit/Twitter", "2.0", Ecosystem.COCOAPODS), "pkg:cocoapods/ShareKit@2.0#Twitter"),
        (
            Package("libcurl4", "7.88.1-10+deb12u5", Ecosystem.DEBIAN, upstream="curl"),
            "pkg:deb/debian/libcurl4@7.88.1-10%2Bdeb12u5?upstream=curl",
        ),
        (Package("openssl", "1:3.0.7", Ecosystem.ALMALINUX), "pkg:rpm/almalinux/openssl@1:3.0.7"),
    ],
)
def test_a_package_has_the_url_of_the_specification(package: Package, url: str) -> None:
    assert str(purl_of(package)) == url
    back = package_of(parse(url))
    assert back is not None
    assert (back.name.lower(), back.version, back.ecosystem, back.upstream) == (
        package.name.lower(),
        package.version,
        package.ecosystem,
        package.upstream,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pkg:",
        "pkg:npm",
        "pkg:npm/",
        "npm/a@1",
        "pkg%3Anpm/a",
        "pkg:n&g/a@1",
        "pkg:maven/@1.0",
        "pkg:swift/a@1",
        "pkg:npm/a?b c=d",
        "pkg:npm/" + "a" * 5_000,
    ],
)
def test_what_is_no_package_url_is_refused(text: str) -> None:
    with pytest.raises(PurlInvalid):
        parse(text)


@given(st.builds(Purl, st.just("generic"), WORDS, WORDS, WORDS))
def test_a_url_comes_back_as_it_was(url: Purl) -> None:
    try:
        made = parse(str(msgspec.structs.replace(url, namespace=url.namespace.replace("/", "."), name=url.name.replace("/", "."))))
    except PurlInvalid:
        return
    assert parse(str(made)) == made
