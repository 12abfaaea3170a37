"""Workflows, whose actions are packages."""

from __future__ import annotations

from tests.lockfiles.lock_form import sample

ACTIONS = (
    sample(
        "github-workflow",
        ".github/workflows/ci.yml",
        """
        on: push
        jobs:
          build:
            runs-on: ubuntu-24.04
            steps:
              - uses: actions/checkout@0123456789abcdef0123456789abcdef01234567 # v4.2.2
              - uses: tool/setup@v3
              - uses: ./local
          called:
            uses: shared/flows/.github/workflows/w.yml@v1.2.3
        """,
        ">actions/checkout 4.2.2, >shared/flows 1.2.3, >tool/setup 3",
    ),
)
