"""Files that somebody names: read whole, or refused with what, why and what to do."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from assaymark.errors import UsageError
from assaymark.subjects.given import read_given, write_given


def test_a_file_is_read_up_to_its_bound_and_not_beyond(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x" * 10)
    assert read_given(file, 10) == b"x" * 10
    with pytest.raises(UsageError, match="too large") as found:
        read_given(file, 9)
    assert found.value.advice


@pytest.mark.parametrize(
    ("name", "what"), [("", "is a folder"), ("none", "cannot be read"), ("a\0b", "cannot be read"), ("x" * 300, "cannot be read")]
)
def test_what_cannot_be_read_is_said_with_what_to_do(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as found:
        read_given(tmp_path / name, 10)
    assert found.value.why
    assert found.value.advice


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_is_said_to_be_that(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x")
    file.chmod(0)
    with pytest.raises(UsageError, match="cannot be read"):
        read_given(file, 10)


def test_a_name_that_steers_a_terminal_does_not(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as found:
        read_given(tmp_path / "\x1b[31mred", 10)
    assert "\x1b" not in found.value.what


def test_a_pipe_is_read_as_a_file_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"through"))
    thread.start()
    assert read_given(tmp_path / "pipe", 10) == b"through"
    thread.join()


def test_what_is_written_is_there_as_a_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    write_given(tmp_path / "a", b"one")
    write_given(tmp_path / "a", b"two")
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"two"


TARGETS = [("", "is a folder", "in it"), ("no/a", "cannot be written", "folder first"), ("a\0", "cannot be", "")]


@pytest.mark.parametrize(("name", "what", "advice"), TARGETS)
def test_what_cannot_be_written_is_said_with_what_to_do(tmp_path: Path, name: str, what: str, advice: str) -> None:
    with pytest.raises(UsageError, match=what) as found:
        write_given(tmp_path / name, b"x")
    assert advice in found.value.advice
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_written_through_and_a_device_into(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_given(tmp_path / "link", b"new")
    assert (tmp_path / "real").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()
    write_given(Path("/dev/null"), b"gone")
    assert not Path("/dev/null").is_file()
