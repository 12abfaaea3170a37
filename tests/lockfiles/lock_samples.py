"""All samples of lock files."""

from __future__ import annotations

from tests.lockfiles.lock_samples_others import OTHERS
from tests.lockfiles.lock_samples_scripting import SCRIPTING

SAMPLES = (*SCRIPTING, *OTHERS)
