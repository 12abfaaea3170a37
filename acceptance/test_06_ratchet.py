"""No sequence of accepted changes lowers the posture without a recorded exception: the law with 2,000 random histories."""

from __future__ import annotations

import re
from pathlib import Path

from acceptance.harness import ROOT, prove

EXAMPLES = 2_000
LAW = "test_no_sequence_of_accepted_changes_lowers_the_posture_without_a_recorded_exception"


def test_the_ratchet_holds_for_two_thousand_random_histories(tmp_path: Path) -> None:
    source = (ROOT / "tests" / "verdict" / "test_ratchet_laws.py").read_text("utf-8")
    raised, properties = re.subn(r"max_examples=\d+", f"max_examples={EXAMPLES}", source)
    assert properties >= 1, "the laws name no number of examples"
    copy = tmp_path / "test_ratchet_laws_raised.py"
    copy.write_text(raised, "utf-8")
    said = prove(str(copy), "-k", LAW, "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), "--hypothesis-show-statistics")
    assert f"{EXAMPLES} passing, 0 failing" in said, said[-3000:]
