"""Compiling and fetching advisories: the schema's features, bounds, and what is said of what was not understood."""

from __future__ import annotations

import gzip
import http.server
import json
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.listening import listening

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.dependencies.advisory_samples import CRITICAL, compiled, record, said, until

from assaymark.advisories import archives, download
from assaymark.advisories.groups import Groups
from assaymark.advisories.news import news
from assaymark.advisories.osv import Affected, Event, PackageName, Range, Record, Told, spans_of, told
from assaymark.advisories.severities import base_score
from assaymark.advisories.updating import from_address, from_folder
from assaymark.advisories.urgency import read_epss, read_kev
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.errors import UsageError

NOW = "2026-11-27T00:00:00Z"


def quiet(_text: str) -> None:
    """Progress that nobody reads."""


# --- ranges ----------------------------------------------------------------------------------------------------------


def affected(events: list[Event], version: str) -> bool:
    spans, key = spans_of(Ecosystem.NPM, events), key_of(Ecosystem.NPM, version)
    assert spans is not None
    assert key is not None
    return any(span.holds(key) for span in spans)


def by_the_schema(events: list[Event], version: tuple[int, int, int]) -> bool:
    """The evaluation that the schema's text gives, on numbers, written independently."""

    def place(text: str) -> tuple[int, int, int]:
        first, second, third = (text if text != "0" else "0.0.0").split(".")
        return int(first), int(second), int(third)

    limits = [place(event.limit) for event in events if event.limit]
    if limits and not any(version < limit for limit in limits):
        return False
    vulnerable = False
    moves = [event for event in events if not event.limit]
    for event in sorted(moves, key=lambda each: place(each.introduced or each.fixed or each.last_affected)):
        if event.introduced and version >= place(event.introduced):
            vulnerable = True
        elif (event.fixed and version >= place(event.fixed)) or (event.last_affected and version > place(event.last_affected)):
            vulnerable = False
    return vulnerable


numbers = st.integers(0, 3)
places = st.tuples(st.integers(1, 3), numbers, numbers)


@given(st.lists(places, min_size=2, max_size=6, unique=True), places, st.booleans(), st.booleans())
def test_ranges_are_evaluated_as_the_schema_says(
    points: list[tuple[int, int, int]], at: tuple[int, int, int], last: bool, limited: bool
) -> None:
    texts = [".".join(map(str, point)) for point in sorted(points)]
    events = [
        Event(introduced=text) if not turn % 2 else Event(last_affected=text) if last else Event(fixed=text)
        for turn, text in enumerate(texts)
    ]
    if limited:
        events.append(Event(limit="2.2.0"))
    assert affected(events[::-1], ".".join(map(str, at))) == by_the_schema(events, at)


@given(st.lists(st.tuples(places, places, st.booleans()), max_size=5), places)
def test_listed_versions_are_kept_exactly_when_no_range_holds_them(
    rows: list[tuple[tuple[int, ...], tuple[int, ...], bool]], at: tuple[int, ...]
) -> None:
    def text(point: tuple[int, ...]) -> str:
        return ".".join(map(str, point))

    ranges = [
        Range("ECOSYSTEM", (Event(introduced=text(low)), Event(last_affected=text(high)) if last else Event(fixed=text(high))))
        for low, high, last in rows
    ]
    affected = Affected(PackageName("npm", "a"), tuple(ranges), (text(at),))
    (one,) = told(Record("X", affected=(affected,)))
    assert isinstance(one, Told)
    key = key_of(Ecosystem.NPM, text(at))
    assert key is not None
    assert (one.versions == ()) is any(span.holds(key) for span in one.spans)


def test_thousands_of_ranges_and_versions_cost_no_product_of_both(tmp_path: Path) -> None:
    many = record(
        "GHSA-1", "lantern", *({kind: f"{number}.{half}"} for number in range(4000) for half, kind in ((0, "introduced"), (5, "fixed")))
    )
    many["affected"][0]["versions"] = [f"{number}.{minor}" for number in range(4000) for minor in range(10)]
    start = time.process_time()
    compiled(tmp_path / "index.db", [many])
    assert time.process_time() - start < 5


def test_commits_alone_are_no_range_and_are_counted(tmp_path: Path) -> None:
    git = record("GHSA-1", "lantern")
    git["affected"][0]["ranges"] = [{"type": "GIT", "repo": "https://example.org/x", "events": [{"introduced": "0"}]}]
    assert compiled(tmp_path / "index.db", [git]).unordered == 1


# --- ids and severities ----------------------------------------------------------------------------------------------


@given(st.permutations([("GHSA-b", ["CVE-2026-10"]), ("PYSEC-1", ["CVE-2026-10", "CVE-2026-9"]), ("GO-1", ["GHSA-b"]), ("X-1", [])]))
def test_the_order_of_records_decides_nothing_about_their_groups(records: list[tuple[str, list[str]]]) -> None:
    groups = Groups()
    for name, aliases in records:
        groups.join(name, aliases)
    named = groups.named()
    assert {name: named[name][0] for name in ("GHSA-b", "PYSEC-1", "GO-1", "X-1")} == {
        "GHSA-b": "CVE-2026-9",
        "PYSEC-1": "CVE-2026-9",
        "GO-1": "CVE-2026-9",
        "X-1": "X-1",
    }


def test_a_collection_of_many_aliases_joins_nothing() -> None:
    groups = Groups()
    groups.join("RLSA-1", [f"CVE-2026-{number}" for number in range(1000, 1011)])
    groups.join("GHSA-1", ["CVE-2026-1000"])
    groups.join("GHSA-2", ["CVE-2026-1001"])
    named = groups.named()
    assert named["GHSA-1"][0] != named["GHSA-2"][0]


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        (CRITICAL, 9.8),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:H/I:N/A:N", 4.7),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
        ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O", 9.8),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", None),
        ("CVSS:3.1/AV:N/AC:L", None),
        ("CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
        ("high", None),
    ],
)
def test_base_scores_are_those_of_the_specification(vector: str, score: float | None) -> None:
    assert base_score(vector) == score


# --- the snapshot ----------------------------------------------------------------------------------------------------


def test_equal_advisories_are_one_snapshot_whatever_the_order_and_the_day(tmp_path: Path) -> None:
    rows = [record(f"GHSA-{number}", f"name{number % 3}", *until(f"{number}.0")) for number in range(1, 9)]
    first = compiled(tmp_path / "a.db", rows)
    assert compiled(tmp_path / "b.db", [*rows[::-1], rows[0]]).snapshot == first.snapshot
    assert compiled(tmp_path / "c.db", rows[1:]).snapshot != first.snapshot
    assert compiled(tmp_path / "d.db", rows, {}, {"CVE-1": (0.1, 0.1)}).snapshot == first.snapshot  # of no advisory here


def test_a_record_about_commits_alone_is_said(tmp_path: Path) -> None:
    vanilla = {"id": "OSV-1", "affected": [{"ranges": [{"type": "GIT", "repo": "x", "events": [{"introduced": "0"}]}]}]}
    assert compiled(tmp_path / "index.db", [vanilla]).elsewhere == (("commits of a repository", 1),)


def test_what_is_no_record_is_counted_and_named(tmp_path: Path) -> None:
    android = record("ASB-1", "lib", *until("1"), ecosystem="Android")
    made = compiled(tmp_path / "index.db", [b"{", b"[]", b'{"id": 5}', b"\xff", android, record("GHSA-1", "a", *until("1"))])
    assert (made.records, made.unreadable_count, made.elsewhere) == (2, 4, (("Android", 1),))
    assert made.unreadable[0] == "0.json"


def test_distributions_are_told_apart_by_release(tmp_path: Path) -> None:
    compiled(tmp_path / "index.db", [record("DSA-1", "openssl", *until("3.0.1-1"), ecosystem="Debian:12")])
    index = Index(str(tmp_path / "index.db"))
    assert list(index.affecting(["Debian:12/openssl", "Debian:11/openssl", "Debian/openssl"])) == ["Debian:12/openssl"]


# --- folders and archives --------------------------------------------------------------------------------------------


def archive(path: Path, *records: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for number, each in enumerate(records):
            opened.writestr(f"{number}.json", each if isinstance(each, bytes) else json.dumps(each))


KEV = json.dumps(
    {
        "vulnerabilities": [
            {"cveID": "CVE-2026-1", "dateAdded": "2026-02-01", "dueDate": "2026-02-20", "knownRansomwareCampaignUse": "Known"}
        ]
    }
)
EPSS = "#model_version:v1,score_date:2026-11-27\ncve,epss,percentile\nCVE-2026-1,0.5,0.9\n"


def test_a_folder_is_taken_as_it_stands(tmp_path: Path) -> None:
    source = tmp_path / "osv"
    archive(source / "PyPI" / "all.zip", record("GHSA-1", "lantern", *until("2"), aliases=["CVE-2026-1"]))
    archive(source / "npm.zip", record("GHSA-2", "lamp", *until("2"), ecosystem="npm"))
    (source / "loose.json").write_text(json.dumps(record("GHSA-3", "bell", *until("2"))))
    (source / "kev.json").write_text(KEV)
    (source / "epss_scores-current.csv.gz").write_bytes(gzip.compress(EPSS.encode()))
    (source / "README.md").write_text("not read")
    index = tmp_path / "data" / "index.db"
    made = from_folder(source, index, NOW, quiet)
    assert (made.records, made.advisories) == (3, 3)
    assert sorted(json.loads(Index(str(index)).meta["sources"])) == [
        "PyPI/all.zip",
        "epss_scores-current.csv.gz",
        "kev.json",
        "npm.zip",
        "records beside",
    ]
    (one,) = said(index, "requirements", "lantern==1\n")
    assert dict(one.notes)["EPSS"] == "0.500 (percentile 0.900)"
    assert one.severity == "critical"
    assert sorted(path.name for path in index.parent.iterdir()) == ["index.db"]  # no draft is left


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"no zip"])
def test_a_torn_archive_is_an_error_and_the_index_stays(tmp_path: Path, content: bytes) -> None:
    index = tmp_path / "index.db"
    before = compiled(index, [record("GHSA-1", "lantern", *until("2"))]).snapshot
    (tmp_path / "osv").mkdir()
    (tmp_path / "osv" / "all.zip").write_bytes(content)
    with pytest.raises(UsageError):
        from_folder(tmp_path / "osv", index, NOW, quiet)
    assert Index(str(index)).snapshot == before


def test_a_bomb_of_a_member_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_RECORD", 1000)
    archive(tmp_path / "all.zip", b"0" * 1_000_000)
    with pytest.raises(UsageError, match="has more than"):
        from_folder(tmp_path, tmp_path / "index.db", NOW, quiet)


def test_a_folder_without_advisories_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no advisories"):
        from_folder(tmp_path, tmp_path / "index.db", NOW, quiet)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"vulnerabilities": 3}', b"\xff"])
def test_what_is_no_catalogue_is_an_error(data: bytes) -> None:
    with pytest.raises(UsageError):
        read_kev(data, "kev.json")


@pytest.mark.parametrize(
    "data", [b"CVE-2026-1,2.0,0.5\n", b"CVE-2026-1,nan,0.5\n", b"x,0.1,0.1\n", b"CVE-2026-1\n", b"\x1f\x8b torn", b"\xff\n"]
)
def test_what_is_no_table_of_epss_is_an_error(data: bytes) -> None:
    with pytest.raises(UsageError):
        read_epss(data, "epss.csv")


# --- addresses -------------------------------------------------------------------------------------------------------


class Shelf(http.server.BaseHTTPRequestHandler):
    """Serves a dictionary, with entity tags, and keeps what was asked."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[tuple[str, int]]] = []

    def do_GET(self) -> None:
        content = self.files.get(self.path)
        tag = f'"{hash(content)}"'
        if content is None:
            status, content = 404, b""
        elif content.startswith(b"http"):
            status = 302
        else:
            status = 304 if self.headers.get("If-None-Match") == tag else 200
        self.asked.append((self.path, status))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", content.decode())
        self.send_header("ETag", tag)
        body = content if status == 200 else b""
        self.send_header("Content-Length", str(len(body) + (5 if self.path.startswith("/torn") else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nobody reads it."""


@pytest.fixture
def shelf(socket_enabled: None) -> Iterator[str]:
    """A server on the loopback interface; nothing else is asked."""
    Shelf.files, Shelf.asked = {}, []
    with listening(Shelf) as port:
        yield f"http://127.0.0.1:{port}"


def test_only_what_changed_is_fetched_again(tmp_path: Path, shelf: str) -> None:
    archive(tmp_path / "py.zip", record("GHSA-1", "lantern", *until("2")))
    archive(tmp_path / "go.zip", record("GO-1", "example.org/m", *until("2"), ecosystem="Go"))
    Shelf.files = {
        "/PyPI/all.zip": (tmp_path / "py.zip").read_bytes(),
        "/Go/all.zip": (tmp_path / "go.zip").read_bytes(),
        "/kev.json": KEV.encode(),
    }
    index = tmp_path / "data" / "index.db"
    first = from_address(shelf, ("PyPI", "Go"), index, NOW, quiet)
    archive(tmp_path / "py.zip", record("GHSA-1", "lantern", *until("3")))
    Shelf.files["/PyPI/all.zip"] = (tmp_path / "py.zip").read_bytes()
    Shelf.asked.clear()
    second = from_address(shelf, ("PyPI", "Go"), index, NOW, quiet)
    assert Shelf.asked == [("/PyPI/all.zip", 200), ("/Go/all.zip", 304), ("/kev.json", 304), ("/epss.csv.gz", 404)]
    assert first.advisories == second.advisories == 2
    assert first.snapshot != second.snapshot == from_address(shelf, ("PyPI",), index, NOW, quiet).snapshot


def test_an_archive_that_breaks_off_changes_nothing(tmp_path: Path, shelf: str) -> None:
    target = tmp_path / "a.zip"
    target.write_bytes(b"before")
    Shelf.files = {"/torn": b"half of it"}
    with pytest.raises(UsageError, match="broke off"):
        download.fetch(f"{shelf}/torn", target)
    assert target.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_flood_is_cut_off(tmp_path: Path, shelf: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LARGEST", 1000)
    Shelf.files = {"/flood": b"x" * 5000}
    with pytest.raises(UsageError, match="sends more than"):
        download.fetch(f"{shelf}/flood", tmp_path / "a.zip")


@pytest.mark.parametrize(
    "url",
    ["http://example.org/x", "ftp://example.org/x", "file:///etc/passwd", "http://127.0.0.1.example.org/", "https://u:p@example.org/"],
)
def test_only_https_and_this_machine_are_asked(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError):
        download.fetch(url, tmp_path / "a.zip")


@pytest.mark.parametrize("target", ["http://example.org/elsewhere", "file:///etc/passwd"])
def test_a_redirect_leads_to_no_other_kind_of_address(tmp_path: Path, shelf: str, target: str) -> None:
    Shelf.files = {"/moved": target.encode() if target.startswith("http") else b"http" + b"://127.0.0.1:1/x"}
    with pytest.raises(UsageError):
        download.fetch(f"{shelf}/moved", tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("name", ["../etc", "a/b", ".hidden"])
def test_a_name_of_an_ecosystem_leads_to_no_other_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no ecosystem"):
        from_address("http://127.0.0.1:1", (name,), tmp_path / "index.db", NOW, quiet)


# --- what is new -----------------------------------------------------------------------------------------------------


def test_only_what_changed_is_news_and_the_other_way_round_it_is_what_was_taken_back(tmp_path: Path) -> None:
    old, gone = record("GHSA-1", "lantern", *until("2")), record("GHSA-9", "anvil", *until("2"))
    compiled(tmp_path / "before.db", [old, gone])
    fresh = record("GHSA-2", "lantern", {"introduced": "1.5"}, {"last_affected": "3"}, versions=["legacy-x"])
    compiled(tmp_path / "after.db", [old, fresh, record("GHSA-3", "bell", versions=["1.0"])])
    before, after = (Index(str(tmp_path / f"{name}.db")) for name in ("before", "after"))
    found = {package: [each.record for each in records] for package, records in news(before, after).items()}
    assert found == {"PyPI/bell": ["GHSA-3"], "PyPI/lantern": ["GHSA-2"]}
    assert list(news(after, before)) == ["PyPI/anvil"]
    assert news(after, after) == {}


def test_the_first_index_is_all_news(tmp_path: Path) -> None:
    compiled(tmp_path / "index.db", [record("GHSA-1", "lantern", *until("2"))])
    assert list(news(None, Index(str(tmp_path / "index.db")))) == ["PyPI/lantern"]


def test_what_holds_no_record_does_not_replace_the_index(tmp_path: Path) -> None:
    good, bad, index = tmp_path / "good", tmp_path / "bad", tmp_path / "index" / "advisories.db"
    good.mkdir()
    bad.mkdir()
    archive(good / "all.zip", record("GHSA-1", "lantern", *until("2")))
    (bad / "a.json").write_text("{broken")
    kept = from_folder(good, index, NOW, quiet).snapshot
    with pytest.raises(UsageError, match="OSV record"):
        from_folder(bad, index, NOW, quiet)
    assert Index(str(index)).snapshot == kept
