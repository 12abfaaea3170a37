"""Notes, checkpoints, tiles, proofs and audits: what the standards' examples say, and what is refused."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.endorsement import approvals

from assaymark.endorsement import revocation, strict_json, verify
from assaymark.endorsement.log import audit, checkpoint, entry, inclusion, merkle, note, proof, tiles
from assaymark.endorsement.log.audit import Head
from assaymark.endorsement.log.checkpoint import Checkpoint
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.log.inclusion import Inclusion
from assaymark.endorsement.log.tiles import Kind, Tile
from assaymark.endorsement.trust import LogTrust
from assaymark.endorsement.verify import Expected, Refusal
from assaymark.errors import SignatureInvalid, SubjectUnreadable, UsageError
from assaymark.model.assessment import Instant

# The example of C2SP signed-note.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n\N{EM DASH} example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
ORIGIN = "log.example/api/v1/log"
KEY = approvals.signer("ed25519")
LINE = note.verifier_of(ORIGIN, KEY.public).line
ENDORSED = "sha256:" + "7" * 64


def lines(size: int, kind: EntryType = EntryType.ENDORSE) -> list[bytes]:
    made = (Entry(kind, Instant(approvals.NOW + index), "ada", (f"sha256:{index:064x}",), ENDORSED) for index in range(size))
    return [entry.line(each, index) for index, each in enumerate(made)]


def head_of(leaves: list[bytes], size: int | None = None) -> Checkpoint:
    size = len(leaves) if size is None else size
    return Checkpoint(ORIGIN, size, merkle.root(size, merkle.Tree(leaves).subtree))


def proof_of(leaves: list[bytes], index: int) -> bytes:
    tree = merkle.Tree(leaves)
    return proof.written(leaves[index], index, merkle.inclusion(index, len(leaves), tree.subtree), checkpoint.signed(head_of(leaves), KEY))


# --- notes -----------------------------------------------------------------------------------------------------------


def test_the_example_of_the_standard_holds() -> None:
    key = note.verifier(VKEY)
    assert key.line == VKEY
    read = note.read(NOTE)
    assert [held.by.name for held in note.verify(read, [key])] == ["example.com/foo"]
    assert note.written(read) == NOTE
    with pytest.raises(SignatureInvalid, match="does not hold"):
        note.verify(replace(read, text="This is another message.\n"), [key])


@pytest.mark.parametrize(
    "data",
    [b"", b"text\n", b"text\n\n", NOTE[:-1], NOTE.replace(b"\n\n", b"\n"), NOTE.replace(b"This", b"Th\tis"), NOTE + b"\xff", NOTE + b"\n",
     NOTE.replace("\N{EM DASH}".encode(), b"-"), NOTE.replace(b"aQM=", b"aQN="), NOTE.replace(b"example.com/foo Uw", b" Uw"),
     NOTE.replace(b"foo Uw", b"f+o Uw"), "a\n\n\N{EM DASH} x AAAA\n".encode(), b"x" * (note.MOST_BYTES + 1),
     NOTE + NOTE.partition(b"\n\n")[2] * note.MOST_SIGNATURES],
)  # fmt: skip
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(SignatureInvalid, match="no signed note"):
        note.read(data)


@pytest.mark.parametrize(
    "line", ["", "example.com/foo", VKEY.replace("530d", "530e"), VKEY[:-2], "a b" + VKEY[15:], VKEY.replace("+Ae", "+Be")]
)
def test_what_is_no_verifier_key_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="no verifier key"):
        note.verifier(line)


def test_a_key_of_another_kind_signs_no_log() -> None:
    with pytest.raises(UsageError, match="Ed25519"):
        checkpoint.signed(head_of(lines(1)), approvals.signer())
    with pytest.raises(UsageError, match="no name"):
        checkpoint.signed(Checkpoint("two words", 0, merkle.EMPTY), KEY)


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_witnesses_are_told_and_strangers_are_carried_along() -> None:
    witness, stranger = approvals.signer("ed25519"), approvals.signer("ed25519")
    at = int(dt.datetime(2026, 11, 28, tzinfo=dt.UTC).timestamp())
    data = checkpoint.cosigned(checkpoint.signed(head_of(lines(3)), KEY), "witness.example", witness, at)
    data = checkpoint.cosigned(data, "stranger.example", stranger, at)
    data += f"\N{EM DASH} quantum.example {base64.b64encode(b'1234' + bytes(2428)).decode()}\n".encode()
    known = note.verifier_of("witness.example", witness.public, note.Kind.COSIGNATURE)
    assert note.verifier(known.line) == replace(known, key=note.verifier(known.line).key)
    found = checkpoint.opened(data, ORIGIN, [note.verifier(LINE)], [known])
    assert found.checkpoint == head_of(lines(3))
    assert found.witnesses == (("witness.example", at),)
    assert len(found.note.signatures) == 4


def test_a_cosignature_with_another_time_makes_the_checkpoint_nothing() -> None:
    witness = approvals.signer("ed25519")
    data = checkpoint.cosigned(checkpoint.signed(head_of(lines(3)), KEY), "witness.example", witness, 1_700_000_000)
    read = note.read(data)
    moved = replace(read.signatures[1], data=(1_700_000_001).to_bytes(8) + read.signatures[1].data[8:])
    known = note.verifier_of("witness.example", witness.public, note.Kind.COSIGNATURE)
    with pytest.raises(SignatureInvalid, match="does not hold"):
        checkpoint.opened(note.written(replace(read, signatures=(read.signatures[0], moved))), ORIGIN, [note.verifier(LINE)], [known])


@pytest.mark.parametrize(
    "text", ["a\n1\n", "a\n01\nROOT\n", "a\n-1\nROOT\n", "a\n1\nAAAA\n", "a\n1\nROOT\n\nmore\n", "a\n1\n????\n", "a\n1٣\nROOT\n"]
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    text = text.replace("ROOT", base64.b64encode(merkle.EMPTY).decode())
    data = note.written(note.Note(text, (note.sign(text, "a", KEY),)))
    with pytest.raises(SignatureInvalid, match="no checkpoint"):
        checkpoint.read(data)


def test_a_checkpoint_of_another_log_or_key_is_refused() -> None:
    data = checkpoint.signed(head_of(lines(2)), KEY)
    other = note.verifier_of(ORIGIN, approvals.signer("ed25519").public)
    with pytest.raises(SignatureInvalid, match="not signed by the log"):
        checkpoint.opened(data, ORIGIN, [other])
    with pytest.raises(SignatureInvalid, match="another log"):
        checkpoint.opened(data, "other.example", [note.verifier(LINE)])


# --- tiles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tile", "path"), [
    (Tile(Kind.HASHES, 0, 0), "tile/0/000"), (Tile(Kind.HASHES, 2, 1_234_067), "tile/2/x001/x234/067"),
    (Tile(Kind.ENTRIES, 0, 273, 112), "tile/entries/273.p/112"), (Tile(Kind.HASHES, 1, 1000, 17), "tile/1/x001/000.p/17"),
])  # fmt: skip
def test_paths_are_those_of_the_standard(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tiles.at(path) == tile


@given(st.sampled_from(Kind), st.integers(0, 63), st.integers(0, 1 << 60), st.integers(1, 256))
def test_a_path_means_one_tile(kind: Kind, level: int, number: int, width: int) -> None:
    tile = Tile(kind, 0 if kind is Kind.ENTRIES else level, number, width)
    assert tiles.at(tile.path) == tile


@pytest.mark.parametrize("path", ["tile/0/0", "tile/00/000", "tile/0/x000/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/001/002",
                                  "tile/0/000/", "tile/0/../000", "tile/-1/000", "tile/entries/000.p/01", "tile/0/٠٠٠"])  # fmt: skip
def test_other_paths_mean_none(path: str) -> None:
    assert tiles.at(path) is None


def test_a_tree_of_70000_has_the_tiles_that_the_standard_says() -> None:
    files = list(tiles.every(70_000))
    hashes = [each for each in files if each.kind is Kind.HASHES]
    assert [(level, sum(each.level == level and each.is_full for each in hashes)) for level in range(3)] == [(0, 273), (1, 1), (2, 0)]
    assert [(each.level, each.width) for each in hashes if not each.is_full] == [(0, 112), (1, 17), (2, 1)]
    assert sum(each.width for each in files if each.kind is Kind.ENTRIES) == 70_000
    assert list(tiles.every(0)) == []


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20), st.data())
def test_a_bundle_is_read_whole_or_refused(entries: list[bytes], data: st.DataObject) -> None:
    packed = tiles.bundle(entries)
    assert tiles.unbundle(packed, len(entries)) == entries
    for wrong in (packed + b"\0", packed[: data.draw(st.integers(0, len(packed) - 1))]):
        with pytest.raises(SubjectUnreadable):
            tiles.unbundle(wrong, len(entries))


def files_of(leaves: list[bytes]) -> dict[str, bytes]:
    """As a log serves them, made from the definition in the standard."""
    made = {}
    for tile in tiles.every(len(leaves)):
        first = tile.number * 256
        if tile.kind is Kind.ENTRIES:
            made[tile.path] = tiles.bundle(leaves[first : first + tile.width])
        else:
            span = 256**tile.level
            parts = [leaves[(first + index) * span : (first + index + 1) * span] for index in range(tile.width)]
            made[tile.path] = b"".join(merkle.root(span, merkle.Tree(part).subtree) for part in parts)
    return made


def fetching(files: dict[str, bytes]) -> tiles.Fetch:
    def fetch(tile: Tile) -> bytes:
        if tile.path not in files:
            raise SubjectUnreadable("it is not there")
        return files[tile.path]

    return fetch


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700, 66_000])
def test_proofs_of_tiles_are_those_of_the_tree(size: int) -> None:
    leaves = [b"%d" % index for index in range(size)]
    tree, reader = merkle.Tree(leaves), tiles.Reader(size, fetching(files_of(leaves)))
    assert merkle.root(size, reader.subtree) == merkle.root(size, tree.subtree)
    for index in {0, size // 2, size - 1}:
        assert merkle.inclusion(index, size, reader.subtree) == merkle.inclusion(index, size, tree.subtree)
    for first in {1, size // 3 + 1, size}:
        assert merkle.consistency(first, size, reader.subtree) == merkle.consistency(first, size, tree.subtree)


# --- audits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 256, 600, 66_000])
def test_an_honest_log_holds_against_every_checkpoint(size: int) -> None:
    leaves = [b"%d" % index for index in range(size)]
    heads = [Head(head_of(leaves, each), f"pin {each}") for each in sorted({0, size // 3, size // 2, max(size - 1, 0), size})]
    found = audit.whole(size, fetching(files_of(leaves)), heads)
    assert (found.defects, found.heads, found.root) == ([], len(heads), head_of(leaves).root)


def changed_entry(files: dict[str, bytes]) -> None:
    files["tile/entries/001"] = tiles.bundle([b"other", *tiles.unbundle(files["tile/entries/001"], 256)[1:]])


def changed_hash(files: dict[str, bytes]) -> None:
    files["tile/0/000"] = bytes(32) + files["tile/0/000"][32:]


def changed_upper_hash(files: dict[str, bytes]) -> None:
    files["tile/1/000.p/2"] = files["tile/1/000.p/2"][:32] + bytes(32)


def lost_entries(files: dict[str, bytes]) -> None:
    del files["tile/entries/000"]


def lost_hashes(files: dict[str, bytes]) -> None:
    del files["tile/0/002.p/88"]


def short_bundle(files: dict[str, bytes]) -> None:
    files["tile/entries/002.p/88"] = files["tile/entries/002.p/88"][:-1]


@pytest.mark.parametrize("attack", [changed_entry, changed_hash, changed_upper_hash, lost_entries, lost_hashes, short_bundle])
def test_what_was_done_to_files_is_found(attack: Callable[[dict[str, bytes]], None]) -> None:
    leaves = lines(600)
    files = files_of(leaves)
    attack(files)
    assert audit.whole(600, fetching(files), [Head(head_of(leaves), "here")]).defect_count


@given(st.integers(2, 600), st.data())
def test_cutting_off_and_rewriting_is_found_by_a_pin_alone(size: int, data: st.DataObject) -> None:
    leaves = [b"%d" % index for index in range(size)]
    pinned = data.draw(st.integers(1, size))
    pin = Head(head_of(leaves, pinned), "a pin")
    cut = leaves[: data.draw(st.integers(0, pinned - 1))]
    found = audit.whole(len(cut), fetching(files_of(cut)), [Head(head_of(cut), "its own"), pin])
    assert "cut off" in found.defects[0]
    assert "cut off" in audit.against([pin], head_of(cut), merkle.Tree(cut).subtree)[0]
    rewritten = list(leaves)
    rewritten[data.draw(st.integers(0, pinned - 1))] = b"other"
    found = audit.whole(size, fetching(files_of(rewritten)), [Head(head_of(rewritten), "its own"), pin])
    assert len(found.defects) == 1
    assert "rewritten" in found.defects[0]
    assert "rewritten" in audit.against([pin], head_of(rewritten), merkle.Tree(rewritten).subtree)[0]
    assert audit.against([pin], head_of(leaves), merkle.Tree(leaves).subtree) == []


def test_a_pin_of_another_log_is_said() -> None:
    pin = Head(replace(head_of(lines(2)), origin="other.example"), "a pin")
    assert "another log" in audit.against([pin], head_of(lines(3)), merkle.Tree(lines(3)).subtree)[0]


# --- entries and proofs ----------------------------------------------------------------------------------------------


@given(st.sampled_from(EntryType), st.integers(0, 1 << 50), st.text(max_size=20), st.dictionaries(st.text(max_size=9), st.text(max_size=9)),
       st.integers(0, 1 << 60))  # fmt: skip
def test_an_entry_is_read_as_it_was_written(kind: EntryType, at: int, actor: str, details: dict[str, str], seq: int) -> None:
    made = Entry(kind, Instant(at), actor, ("sha256:" + "a" * 64,), "", details)
    data = entry.line(made, seq)
    assert b"\n" not in data
    assert entry.read(data) == entry.Placed(seq, made)


@pytest.mark.parametrize("change", [
    lambda data: data + b" ", lambda data: data.replace(b'"v":1', b'"v":2'), lambda data: data.replace(b'"actor"', b'"actor":"x","actor"'),
    lambda data: data.replace(b'"seq":0', b'"seq":0,"more":1'), lambda data: data.replace(b'Z"', b'+00:00"'), lambda _: b"{}",
    lambda _: b"x" * 70_000, lambda data: data.replace(b'"endorse"', b'"bless"'), lambda data: data.replace(b"2026-11", b"2026-13"),
])  # fmt: skip
def test_other_bytes_are_no_entry(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(strict_json.NotStrictError):
        entry.read(change(lines(1)[0]))


@pytest.mark.parametrize("made", [
    Entry(EntryType.REVOKE, Instant(0), "a", ("nothing",)), Entry(EntryType.REVOKE, Instant(0), "a", (), "sha256:xyz"),
    Entry(EntryType.REVOKE, Instant(0), "a", (ENDORSED,) * 257), Entry(EntryType.REVOKE, Instant(0), "a", (), "", {"x": "y" * 70_000}),
    Entry(EntryType.REVOKE, Instant(0), "\ud800"),
])  # fmt: skip
def test_what_no_line_holds_is_refused(made: Entry) -> None:
    with pytest.raises(UsageError):
        entry.line(made, 0)


def test_a_proof_shows_that_an_endorsement_was_logged() -> None:
    log = LogTrust(ORIGIN, LINE, required=True)
    data = approvals.endorsed()
    name = approvals_name(data)
    leaves = lines(20)
    leaves[5] = entry.line(Entry(EntryType.ENDORSE, approvals.NOW, "ada", (approvals.DIGEST,), name), 5)
    trusted = approvals.trusting(log=log)
    nothing = revocation.opened(())

    def ask(file: bytes | None) -> list[str]:
        logged = proof.logged(file, log) if file is not None else None
        return [
            str(each.reason)
            for each in verify.verify(data, approvals.DIGEST, Expected(), trusted, nothing, now=approvals.NOW, logged=logged).refused
        ]

    assert ask(proof_of(leaves, 5)) == []
    assert ask(None) == [Refusal.NOT_LOGGED]
    assert ask(proof_of(leaves, 6)) == [Refusal.NOT_LOGGED]
    assert ask(b"nothing") == [Refusal.NOT_LOGGED]
    leaves[5] = entry.line(Entry(EntryType.REVOKE, approvals.NOW, "ada", (approvals.DIGEST,), name), 5)
    assert ask(proof_of(leaves, 5)) == [Refusal.NOT_LOGGED]


def approvals_name(data: bytes) -> str:
    found = verify.verify(data, approvals.DIGEST, Expected(), approvals.trusting(), revocation.opened(()), now=approvals.NOW)
    assert found.ok
    return found.id


def refusal(data: bytes, witnesses: tuple[str, ...] = (), enough: int = 0) -> str:
    try:
        proof.proved(data, inclusion.keys_of(ORIGIN, [LINE], witnesses, enough))
    except SignatureInvalid as error:
        return f"{error.what}: {error.why}"
    return ""


def test_a_proof_of_other_things_proves_nothing() -> None:
    leaves = lines(9)
    good = proof_of(leaves, 4)
    read = inclusion.read(good)
    assert inclusion.written(read) == good
    assert refusal(good) == ""
    assert "does not lead" in refusal(inclusion.written(replace(read, index=5)))
    assert "does not lead" in refusal(inclusion.written(replace(read, extra=leaves[5])))
    assert "does not lead" in refusal(inclusion.written(replace(read, path=read.path[:-1])))
    assert "does not lead" in refusal(inclusion.written(replace(read, checkpoint=checkpoint.signed(head_of(lines(8)), KEY))))
    assert "not hold its entry" in refusal(inclusion.written(replace(read, extra=b"")))
    forged = checkpoint.signed(head_of(leaves), approvals.signer("ed25519"))
    assert "not signed by the log" in refusal(inclusion.written(replace(read, checkpoint=forged)))
    assert "too few witnesses" in refusal(good, enough=1)
    swapped = [leaves[1], leaves[0]]
    assert "another number" in refusal(proof_of(swapped, 0))
    assert "no entry of this log" in refusal(proof_of([b"{}"], 0))


def test_enough_witnesses_are_counted_by_name() -> None:
    witness = approvals.signer("ed25519")
    read = inclusion.read(proof_of(lines(9), 4))
    once = checkpoint.cosigned(read.checkpoint, "witness.example", witness, 1)
    twice = checkpoint.cosigned(once, "witness.example", witness, 2)
    known = (note.verifier_of("witness.example", witness.public, note.Kind.COSIGNATURE).line,)
    assert refusal(inclusion.written(replace(read, checkpoint=once)), known, 1) == ""
    assert "too few" in refusal(inclusion.written(replace(read, checkpoint=twice)), known, 2)


@pytest.mark.parametrize("data", [
    b"", b"c2sp.org/tlog-proof@v2\nindex 0\n\n", b"c2sp.org/tlog-proof@v1\n\n", b"c2sp.org/tlog-proof@v1\nindex 00\n\n",
    b"c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n", b"c2sp.org/tlog-proof@v1\nindex 0\n", b"c2sp.org/tlog-proof@v1\nextra ?\nindex 0\n\n",
    b"c2sp.org/tlog-proof@v1\nindex 0\n\xff\n\n", b"x" * (inclusion.MOST_BYTES + 1),
    inclusion.written(Inclusion(0, (merkle.EMPTY,) * 65, b"")),
])  # fmt: skip
def test_what_is_no_proof_is_refused(data: bytes) -> None:
    assert "no proof of a transparency log" in refusal(data)
