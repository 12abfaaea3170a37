"""What a lock file says does not depend on how it is laid out, nor on the order of its entries."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lockfiles.lock_form import Sample
from tests.lockfiles.lock_samples import SAMPLES

from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.checks.application.dependencies.readers import Unreadable, plain_yaml, read
from assaymark.checks.application.dependencies.readers.registry import DIALECTS
from assaymark.checks.reading import yaml_tree
from assaymark.model.check import Dialect

LOOSE = {"bun-lock"}
JSON = [each for each in SAMPLES if each.text.startswith("{") and each.dialect not in LOOSE]
TOML = [each for each in SAMPLES if each.text.count("\n[[pack") > 0]
LINES = [each for each in SAMPLES if each.dialect in {"gradle-lock", "requirements"}]
BLOCKS = [each for each in SAMPLES if each.path == "yarn.lock"]
ENTRIES = {
    "poetry-lock": "[[package]]",
    "uv-lock": "[[package]]",
    "pdm-lock": "[[package]]",
    "pylock": "[[packages]]",
    "cargo-lock": "[[package]]",
}


def said(dialect: str, text: str) -> PackageSet:
    """The set without its lines: they belong to the layout."""
    packages = read(Dialect(dialect), text.encode())
    return msgspec.structs.replace(
        packages,
        packages=tuple(msgspec.structs.replace(p, line=0) for p in packages.packages),
        problems=tuple((0, sentence) for _, sentence in packages.problems),
    )


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same JSON in another order of keys, and of rows where the format's order means nothing."""
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        rows = [shuffled(each, chance) for each in value]
        chance.shuffle(rows)
        return rows
    return value


@pytest.mark.parametrize("sample", JSON, ids=lambda each: each.path)
@given(seed=st.integers(0, 10_000), indent=st.sampled_from([None, 0, 1, 4]))
@settings(max_examples=15, deadline=None)
def test_json_in_any_order_and_layout(sample: Sample, seed: int, indent: int | None) -> None:
    other = json.dumps(shuffled(json.loads(sample.text), random.Random(seed)), indent=indent)
    assert said(sample.dialect, other) == said(sample.dialect, sample.text)


@pytest.mark.parametrize("sample", TOML, ids=lambda each: each.path)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_toml_in_any_order(sample: Sample, seed: int) -> None:
    first, *rows = sample.text.replace("\n[metadata]", f"\n{ENTRIES[sample.dialect]}[metadata]").split(ENTRIES[sample.dialect])
    packages = [row for row in rows if not row.startswith("[")]
    random.Random(seed).shuffle(packages)
    other = first + "".join(f"{ENTRIES[sample.dialect]}{row.rstrip()}\n" for row in packages)
    assert said(sample.dialect, other) == said(sample.dialect, sample.text)


@pytest.mark.parametrize("sample", LINES, ids=lambda each: each.path)
def test_lines_in_any_order(sample: Sample) -> None:
    head, *rest = sample.text.rstrip().split("\n")
    entries: list[str] = []
    for line in rest:
        if line.startswith(" "):
            entries[-1] += "\n" + line
        else:
            entries.append(line)
    assert said(sample.dialect, "\n".join([head, *entries[::-1]]) + "\n") == said(sample.dialect, sample.text)


def test_blocks_of_yarn_in_any_order() -> None:
    (sample,) = BLOCKS
    head, *blocks = sample.text.split("\n\n")
    assert said("yarn-lock", "\n\n".join([head, *blocks[::-1]])) == said("yarn-lock", sample.text)


YAML = [each for each in SAMPLES if each.dialect in {"pnpm-lock", "pubspec-lock", "podfile-lock"} or each.path == "web/yarn.lock"]


@pytest.mark.parametrize("sample", YAML, ids=lambda each: each.path)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_read_line_by_line_is_what_libyaml_reads(sample: Sample, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(sample.text)))
    piece = data.draw(
        st.sampled_from(["", " ", "\n", "  - x\n", "a: b\n", "#", "'", '"', ": ", "{a: b}", "[c]", "|\n", "null", "-", "k:\n"])
    )
    text = sample.text[:at] + piece + sample.text[at:]
    try:
        quick = plain_yaml._Plain(text).root()
    except (plain_yaml._UnusualError, Unreadable):
        return
    whole = [plain_yaml._converted(root, {}, 0) for root in yaml_tree.documents(text)]
    assert same(quick, whole[0] if whole else plain_yaml.Table())


def same(quick: Any, whole: Any) -> bool:
    """Equal but for prose, which is read as nothing line by line."""
    if isinstance(quick, dict) and isinstance(whole, dict):
        return list(quick) == list(whole) and all(same(quick[key], whole[key]) for key in quick)
    if isinstance(quick, list) and isinstance(whole, list):
        return len(quick) == len(whole) and all(map(same, quick, whole))
    return bool(quick == whole or (quick == "" and isinstance(whole, str)))


LAYOUTS: dict[str, Callable[[str], str]] = {
    "line ends of Windows": lambda text: text.replace("\n", "\r\n"),
    "a mark at the beginning": lambda text: "\ufeff" + text,
    "no newline at the end": str.rstrip,
    "empty lines at the end": lambda text: text + "\n\n",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda each: each.path)
def test_how_an_editor_leaves_a_file_does_not_matter(sample: Sample, layout: str) -> None:
    assert said(sample.dialect, LAYOUTS[layout](sample.text)) == said(sample.dialect, sample.text)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda each: each.path)
def test_a_set_is_the_same_at_every_reading(sample: Sample) -> None:
    once, again = (read(Dialect(sample.dialect), sample.text.encode()) for _ in range(2))
    assert once == again


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_the_bytes_the_answer_is_a_set_or_a_reason(dialect: str, data: st.DataObject) -> None:
    text = next(each.text for each in SAMPLES if each.dialect == dialect).encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    other = (
        text[:start]
        + data.draw(st.binary(max_size=8) | st.sampled_from([b"{", b"]", b'"', b"\n", b": ", b"&a ", b"[[", b"\\"]))
        + text[end:]
    )
    try:
        packages = read(Dialect(dialect), other)
    except Unreadable:
        return
    assert len(packages.needs) in {0, len(packages.packages)}
    assert all(p.name and p.version for p in packages.packages)
