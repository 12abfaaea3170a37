"""The tree: known roots, laws over random sizes, and proofs that are refused.

The eight roots are those of the reference tree of Certificate Transparency (google/certificate-transparency,
`cpp/merkletree/merkle_tree_test.cc`; the same numbers stand in google/trillian, `testonly/compact_merkle_tree.go`).
"""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assaymark.endorsement.log import merkle
from assaymark.endorsement.log.merkle import EMPTY, Frontier, Tree

LEAVES = [bytes.fromhex(each) for each in
          ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]  # fmt: skip


def naive(leaves: list[bytes]) -> bytes:
    """As RFC 6962 writes it."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\1" + naive(leaves[:split]) + naive(leaves[split:])).digest()


def data_of(size: int) -> list[bytes]:
    return [b"leaf %d" % index for index in range(size)]


def test_the_reference_roots() -> None:
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    tree, frontier = Tree(LEAVES), Frontier()
    for size, known in enumerate(ROOTS, 1):
        frontier.append(LEAVES[size - 1 : size])
        assert merkle.root(size, tree.subtree).hex() == known == frontier.root().hex()


@given(st.lists(st.integers(0, 90), max_size=8), st.integers(0, 500))
def test_however_it_grows_it_is_the_same_tree(portions: list[int], cut: int) -> None:
    leaves = data_of(sum(portions))
    tree, frontier, done = Tree(), Frontier(), 0
    for each in portions:
        tree.append(leaves[done : done + each])
        frontier.append(leaves[done : done + each])
        done += each
    size = len(leaves)
    assert merkle.root(size, tree.subtree) == frontier.root() == naive(leaves)
    prefix = min(cut, size)
    taken_up = merkle.frontier(prefix, tree.subtree)
    assert taken_up.root() == merkle.root(prefix, tree.subtree) == naive(leaves[:prefix])
    again = Frontier(prefix, taken_up.hashes)
    again.append(leaves[prefix:])
    assert again.root() == naive(leaves)
    assert (again.size, again.hashes) == (size, frontier.hashes)


@given(st.integers(1, 700), st.data())
def test_inclusion_is_proved_and_of_nothing_else(size: int, data: st.DataObject) -> None:
    leaves = data_of(size)
    tree = Tree(leaves)
    index = data.draw(st.integers(0, size - 1))
    root = merkle.root(size, tree.subtree)
    path = merkle.inclusion(index, size, tree.subtree)
    leaf = merkle.leaf_hash(leaves[index])
    assert merkle.is_included(leaf, index, size, path, root)
    assert not merkle.is_included(merkle.leaf_hash(b"other"), index, size, path, root)
    assert not merkle.is_included(leaf, index, size, (*path, EMPTY), root)
    assert not merkle.is_included(leaf, index, size, path, EMPTY)
    if path:
        assert not merkle.is_included(leaf, index, size, path[:-1], root)
        place = data.draw(st.integers(0, len(path) - 1))
        changed = (*path[:place], hashlib.sha256(path[place]).digest(), *path[place + 1 :])
        assert not merkle.is_included(leaf, index, size, changed, root)
    other = data.draw(st.integers(0, size - 1))
    assert merkle.is_included(leaf, other, size, path, root) == (other == index)


@given(st.integers(0, 700), st.data())
def test_consistency_is_proved_and_of_nothing_else(second: int, data: st.DataObject) -> None:
    tree = Tree(data_of(second))
    first = data.draw(st.integers(0, second))
    old, new = merkle.root(first, tree.subtree), merkle.root(second, tree.subtree)
    path = merkle.consistency(first, second, tree.subtree)
    assert merkle.is_consistent(first, second, old, new, path)
    assert not merkle.is_consistent(first, second, old, new, (*path, EMPTY))
    wrong = hashlib.sha256(b"wrong").digest()
    assert not merkle.is_consistent(first, second, wrong, new, path)
    if first:
        assert not merkle.is_consistent(first, second, old, wrong, path)
    if path:
        assert not merkle.is_consistent(first, second, old, new, path[:-1])
        place = data.draw(st.integers(0, len(path) - 1))
        changed = (*path[:place], hashlib.sha256(path[place]).digest(), *path[place + 1 :])
        assert not merkle.is_consistent(first, second, old, new, changed)


@given(st.integers(2, 400), st.data())
def test_a_tree_that_was_written_anew_is_not_consistent(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, size - 1))
    leaves = data_of(size)
    old = merkle.root(first, Tree(leaves).subtree)
    leaves[data.draw(st.integers(0, first - 1))] = b"rewritten"
    other = Tree(leaves)
    path = merkle.consistency(first, size, other.subtree)
    assert not merkle.is_consistent(first, size, old, merkle.root(size, other.subtree), path)


def test_a_node_is_never_taken_for_a_leaf() -> None:
    """Second preimage: the two leaves of a tree as one leaf."""
    two = Tree([b"a", b"b"])
    joined = two.subtree(0, 0) + two.subtree(0, 1)
    assert merkle.leaf_hash(joined) != merkle.root(2, two.subtree)
    assert not merkle.is_included(merkle.leaf_hash(joined), 0, 1, (), merkle.root(2, two.subtree))


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (1 << 70, 1 << 69)])
def test_there_is_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion(index, size, Tree(data_of(3)).subtree)
    assert not merkle.is_included(EMPTY, index, size, (), EMPTY)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="no beginning"):
        merkle.consistency(4, 3, Tree(data_of(4)).subtree)
    with pytest.raises(ValueError, match="whole subtrees"):
        Frontier(3, (EMPTY,))
    assert not merkle.is_consistent(4, 3, EMPTY, EMPTY, ())
    assert not merkle.is_consistent(0, 3, hashlib.sha256(b"x").digest(), EMPTY, ())
    assert not merkle.is_included(EMPTY, 0, 2, (b"short",), EMPTY)
    assert not merkle.is_consistent(1, 2, EMPTY, EMPTY, (b"short",))
    assert not merkle.is_consistent(3, 5, EMPTY, EMPTY, ())
