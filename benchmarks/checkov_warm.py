"""Run by the interpreter of an environment that holds checkov: imports it once, runs it some times in process, and tells what it said.

Standard input: JSON with ``folder``, ``checks`` and ``rounds``; standard output: JSON with seconds of CPU per round and a row per verdict.
Knows nothing of ours, so that it runs where we are not installed.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any


def main() -> None:
    asked = json.load(sys.stdin)
    os.environ["CHECKOV_PARALLELIZATION_TYPE"] = "none"  # otherwise each run forks a parser
    logging.disable(logging.CRITICAL)
    from checkov.runner_filter import RunnerFilter  # type: ignore[import-not-found]  # noqa: PLC0415 - only there
    from checkov.terraform.runner import Runner  # type: ignore[import-not-found]  # noqa: PLC0415
    from checkov.version import version  # type: ignore[import-not-found]  # noqa: PLC0415

    def run() -> Any:
        chosen = RunnerFilter(framework=["terraform"], checks=asked["checks"], download_external_modules=False)
        return Runner().run(root_folder=asked["folder"], runner_filter=chosen)

    report = run()
    seconds = []
    for _ in range(asked["rounds"]):
        start = time.process_time()
        report = run()
        seconds.append(time.process_time() - start)
    rows = [[r.check_id, r.resource, r.file_path.lstrip("/"), failed] for r, failed in _records(report)]
    json.dump({"version": version, "seconds": seconds, "rows": rows}, sys.stdout)


def _records(report: Any) -> Any:
    yield from ((record, True) for record in report.failed_checks)
    yield from ((record, False) for record in report.passed_checks)


if __name__ == "__main__":
    main()
