from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from assaymark.jobs.overheard import tell


def said(line: str) -> dict[str, object]:
    with capture_logs() as entries:
        tell(line, 7)
    (entry,) = entries
    return dict(entry)


def test_what_is_structured_stays_so_and_cannot_be_taken_for_the_workers_own() -> None:
    line = '{"event": "job done", "level": "warning", "job": 1, "self": 2}'
    told = {"event": "job done", "job": 1, "self": 2}
    assert said(line) == {"event": "runner said", "log_level": "warning", "job": 7, "said": told}


@pytest.mark.parametrize(
    "line", ["a word", "{", '{"event": 3}', "[1]", '{"level": "info"}', '{"event": "x"', '{"event": "x", "level": []}', "\x00"]
)
def test_anything_else_is_quoted(line: str) -> None:
    assert said(line) == {"event": "runner said", "log_level": "info", "job": 7, "line": line}


@pytest.mark.parametrize("level", ["exit", "bind", "", "__class__"])
def test_a_level_that_is_none_is_info(level: str) -> None:
    assert said(f'{{"event": "x", "level": "{level}"}}')["log_level"] == "info"
