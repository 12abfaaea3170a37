"""What is called new is new: every law of identity as a property on real code; false-new rates on whole histories beside file+line+rule."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from acceptance.harness import Shell, prove

LAWS = ("stillness", "movement", "honesty", "order", "agreement", "knowledge", "closure", "nine_times_in_ten")


def test_every_law_has_a_property_and_holds() -> None:
    said = prove("tests/laws", "tests/verdict/test_ratchet_laws.py", "tests/verdict/test_waivers.py", "-vv")
    for law in LAWS:
        assert law in said, f"no test speaks of the law of {law}"


def test_untouched_findings_of_real_histories_are_hardly_ever_called_new(shell: Shell) -> None:
    histories = [Path(path) for path in os.environ.get("ASSAYMARK_HISTORIES", "").split(os.pathsep) if path]
    if not histories:
        pytest.skip("NOT PROVED: name git histories in ASSAYMARK_HISTORIES (separated as in PATH)")
    for history in histories:
        said = shell.run("replay", "--last", os.environ.get("ASSAYMARK_REPLAY_LAST", "300"), "--json", folder=history, seconds=3600)
        assert said.code == 0, said.err[-2000:]
        ours, theirs = json.loads(said.out)["scores"]
        print(f"\n{history.name}: ours {ours['falsely_new']} of {ours['surviving']}, file+line+rule {theirs['falsely_new']}")
        assert ours["surviving"] > 0, "nothing survived, so nothing is proved"
        assert ours["falsely_new"] <= ours["surviving"] * 0.005
        assert theirs["falsely_new"] >= ours["falsely_new"]
