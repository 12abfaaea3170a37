"""Run by the interpreter of checkov's own environment: imports checkov once, then answers one folder per line.

A line in is JSON with ``folder`` and ``skip``; a line out is JSON with ``rows`` and ``unread``. Knows nothing of ours: it runs where we are
not installed. Whatever checkov prints goes to standard error.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.environ["CHECKOV_PARALLELIZATION_TYPE"] = "none"  # otherwise each run forks a parser
    logging.disable(logging.CRITICAL)
    from checkov.runner_filter import RunnerFilter  # type: ignore[import-not-found]  # noqa: PLC0415 - only there
    from checkov.terraform.runner import Runner  # type: ignore[import-not-found]  # noqa: PLC0415

    _say(answers, {"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        chosen = RunnerFilter(framework=["terraform"], skip_checks=asked["skip"], download_external_modules=False)
        report = Runner().run(root_folder=asked["folder"], runner_filter=chosen)
        rows = [_row(record, muted=False) for record in report.failed_checks]
        rows += [_row(record, muted=True) for record in report.skipped_checks]
        _say(answers, {"rows": rows, "unread": sorted(map(str, report.parsing_errors))})


def _row(record: Any, *, muted: bool) -> dict[str, Any]:
    comment = record.check_result.get("suppress_comment") or ""
    start, end = record.file_line_range
    return {
        "id": record.check_id,
        "name": record.check_name,
        "resource": record.resource,
        "file": record.file_abs_path,
        "start": start,
        "end": end,
        "url": record.guideline or "",
        "muted": f"checkov:skip={record.check_id}:{comment}" if muted else "",
    }


def _say(answers: Any, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
