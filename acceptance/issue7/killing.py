"""`assay`, as it is, that ends itself by SIGKILL at its n-th point: before and after each deed of the driver, and after each step that the
journal holds. 0: never.

    python -m acceptance.issue7.killing N deploy production web sha256:…
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from assaymark.cli import deploy_run, keeping
from assaymark.cli.main import main
from assaymark.deployment.drivers.opening import opened
from assaymark.deployment.phoenix.generation import Ledger, Step
from assaymark.deployment.phoenix.journal import Journal
from assaymark.deployment.phoenix.terms import Terms

_DEEDS = ("launch", "shift", "drain", "burn")


class Point:
    """Counts."""

    def __init__(self, at: int) -> None:
        self.at, self.passed = at, 0

    def pass_(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


class Pointed:
    """A driver whose deeds are points."""

    def __init__(self, driver: Any, point: Point) -> None:
        self._driver, self._point = driver, point

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._driver, name)
        if name not in _DEEDS:
            return found

        def deed(*words: Any) -> Any:
            self._point.pass_()
            done = found(*words)
            self._point.pass_()
            return done

        return deed


def arm(point: Point) -> None:
    append = Journal.append

    def written(self: Journal, step: Step) -> Ledger:
        ledger = append(self, step)
        point.pass_()
        return ledger

    def driver_of(terms: Terms) -> Any:
        return Pointed(opened(terms.driver, terms.options), point)

    Journal.append = written  # type: ignore[method-assign]
    for module in (deploy_run, keeping):
        vars(module)["driver_of"] = driver_of


if __name__ == "__main__":
    arm(Point(int(sys.argv.pop(1))))
    main()
