"""A program as a driver: the sample of the how-to keeps every law of the door, and nothing that a program may do goes beyond its bounds."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest
from tests.deployment import driver_contract

from assaymark.deployment.drivers.driver import Capabilities, Configuration, Driver, DriverFailed, Launch, Pair, Share
from assaymark.deployment.drivers.exec import protocol
from assaymark.deployment.drivers.exec.driver import opened
from assaymark.errors import EngineMissing, UsageError

ROOT = Path(__file__).parents[2]
PAIR = Pair("production", "web")
DIGEST = "sha256:" + "1" * 64


def _program(folder: Path, text: str) -> str:
    path = folder / "driver"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def _answering(folder: Path, answer: str) -> Driver:
    """A driver that says this, whatever it is asked."""
    (folder / "answer").write_text(answer)
    return opened({"program": _program(folder, f"#!/bin/sh\ncat >/dev/null\ncat {folder}/answer\n"), "seconds": "10"})


def _launch(generation: int, image: str = "/bin/true", **secrets: str) -> Launch:
    return Launch(PAIR, generation, f"{image}@{DIGEST}", DIGEST, 2, Configuration("sha256:" + "c" * 64, secrets=secrets))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="NOT PROVED: the sample reads /proc")
def test_the_sample_of_the_how_to_keeps_the_laws(tmp_path: Path) -> None:
    text = (ROOT / "docs/how-to/phoenix-exec.md").read_text("utf-8")
    block = re.search(r"```python file=my-driver\n(.*?)```", text, re.DOTALL)
    assert block is not None
    served = _program(tmp_path, "#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "sample").mkdir()
    program = json.dumps([sys.executable, "-I", "-S", _program(tmp_path / "sample", block[1])])
    options = {"program": program, "folder": str(tmp_path / "state")}
    driver_contract.kept(opened(options), lambda number: _launch(number, served), PAIR, again=lambda: opened(options))


def test_the_schema_is_that_of_the_types_and_fits_what_is_said(tmp_path: Path) -> None:
    kept = msgspec.json.decode((ROOT / "docs/reference/driver-protocol.schema.json").read_bytes())
    assert kept == protocol.schema()
    asked = jsonschema_rs.validator_for(kept)
    calls: list[protocol.Call] = [
        protocol.Capable(), protocol.List(pair=PAIR), protocol.LaunchCall(asked=_launch(1)), protocol.Probe(pair=PAIR, instance="x"),
        protocol.Shift(pair=PAIR, shares=(Share(1, 100),)), protocol.Serving(pair=PAIR), protocol.Burn(pair=PAIR, instance="x"),
        protocol.Drain(pair=PAIR, instance="x", seconds=1.5), protocol.Observe(pair=PAIR, instance="x"),
    ]  # fmt: skip
    for call in calls:
        asked.validate(json.loads(msgspec.json.encode(call)))
    answers = {**kept, "$ref": "#/$defs/answers/$defs/capabilities"}
    answered = jsonschema_rs.validator_for(answers)
    answered.validate({"answer": msgspec.to_builtins(Capabilities("x"))})
    answered.validate({"failed": {"what": "x"}})
    assert not answered.is_valid({"answer": {"divides": True}})
    assert not answered.is_valid({})
    assert asked.is_valid({"call": "list", "pair": {"environment": "a", "component": "b"}})
    assert not asked.is_valid({"call": "list"})


def test_secrets_reach_the_program_by_its_input_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAYMARK_TOKEN", "not for drivers")
    monkeypatch.setenv("REGION", "north")
    lines = [
        "#!/bin/sh", f"cd {tmp_path}", "cat > input", "env > environment", "printf '%s\\n' \"$@\" > words",
        "echo '{\"failed\": {\"what\": \"no\"}}'",
    ]  # fmt: skip
    program = _program(tmp_path, "\n".join(lines))
    with pytest.raises(DriverFailed, match="no"):
        opened({"program": program, "pass": "REGION", "colour": "red"}).launch(_launch(1, PASSWORD="hunter2 of the test"))
    asked = json.loads((tmp_path / "input").read_text())
    assert asked["asked"]["configuration"]["secrets"] == {"PASSWORD": "hunter2 of the test"}
    assert asked["options"] == {"colour": "red"}
    environment = (tmp_path / "environment").read_text()
    assert "REGION=north" in environment
    assert "not for drivers" not in environment
    assert "hunter2" not in environment + (tmp_path / "words").read_text()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "no answer"),
        ("nonsense", "no answer"),
        ("[]", "no answer"),
        ("{}", "gave no answer"),
        ('{"answer": {"driver": "x"}, "failed": {"what": "x"}}', "gave no answer"),
        ('{"answer": {"driver": 1}}', "is no answer"),
        ('{"answer": {"divides": true}}', "is no answer"),
        ('{"answer": {"driver": "x"}, "answer": {"driver": "y"}}', "no answer"),
        ('{"answer": {"driver": "x"}} {"answer": {"driver": "y"}}', "no answer"),
        ('{"failed": "x"}', "words that are none"),
        ('{"failed": {"what": "the platform \\u001b[31m is down"}}', "the platform  [31m is down"),
        ("[" * 100_000, "no answer"),
    ],
)
def test_what_is_no_answer_is_a_failure(answer: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(DriverFailed) as caught:
        _answering(tmp_path, answer).capabilities()
    assert why in caught.value.diagnosis()
    assert "\x1b" not in caught.value.diagnosis()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"generation": 2}, "is generation 2"),
        ({"digest": "sha256:" + "2" * 64}, "was to be launched"),
        ({"id": "web-1"}, "names no single instance"),
        ({"id": ""}, "names no single instance"),
    ],
)
def test_a_launch_of_something_else_is_a_failure(change: dict[str, object], why: str, tmp_path: Path) -> None:
    good = [{"id": f"web-{number}", "generation": 1, "digest": DIGEST} for number in (1, 2)]
    assert len(_answering(tmp_path, json.dumps({"answer": good})).launch(_launch(1))) == 2
    with pytest.raises(DriverFailed) as caught:
        _answering(tmp_path, json.dumps({"answer": [good[0], {**good[1], **change}]})).launch(_launch(1))
    assert why in caught.value.diagnosis()
    with pytest.raises(DriverFailed, match="1 instances were launched, not 2"):
        _answering(tmp_path, json.dumps({"answer": good[:1]})).launch(_launch(1))


def test_shares_that_are_not_whole_and_another_instance_are_failures(tmp_path: Path) -> None:
    with pytest.raises(DriverFailed, match="not 100"):
        _answering(tmp_path, '{"answer": [{"generation": 1, "percent": 90}]}').serving(PAIR)
    with pytest.raises(DriverFailed, match="was observed"):
        _answering(tmp_path, '{"answer": {"id": "other"}}').observe(PAIR, "web-1")


def test_an_exit_code_counts_and_its_words_are_shown_without_what_moves_a_terminal(tmp_path: Path) -> None:
    program = _program(tmp_path, '#!/bin/sh\nprintf "it broke \\033[2J badly" >&2\necho \'{"answer": {"driver": "x"}}\'\nexit 7\n')
    with pytest.raises(DriverFailed) as caught:
        opened({"program": program}).capabilities()
    assert "ended with 7" in caught.value.diagnosis()
    assert "it broke  [2J badly" in caught.value.diagnosis()


def test_a_program_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    program = _program(tmp_path, f"#!/bin/sh\nsleep 50 &\necho $! > {tmp_path}/child\nwait\n")
    began = time.monotonic()
    with pytest.raises(DriverFailed, match="did not end"):
        opened({"program": program, "seconds": "0.5"}).capabilities()
    assert time.monotonic() - began < 5
    child = int((tmp_path / "child").read_text())
    ends = time.monotonic() + 5
    while _is_there(child) and time.monotonic() < ends:
        time.sleep(0.02)
    assert not _is_there(child)


def test_a_program_that_closes_its_output_and_sleeps_is_killed(tmp_path: Path) -> None:
    program = _program(tmp_path, "#!/bin/sh\nexec >&- 2>&- <&-\nexec sleep 50\n")
    with pytest.raises(DriverFailed, match="did not end"):
        opened({"program": program, "seconds": "0.5"}).capabilities()


def test_a_program_that_talks_without_end_is_killed(tmp_path: Path) -> None:
    for stream in ("", ">&2"):
        program = _program(tmp_path, f"#!/bin/sh\nexec yes 'x' {stream}\n")
        with pytest.raises(DriverFailed, match=r"says more than|did not end"):
            opened({"program": program, "seconds": "1"}).capabilities()


def test_a_large_question_to_a_program_that_reads_nothing_waits_for_nobody(tmp_path: Path) -> None:
    program = _program(tmp_path, '#!/bin/sh\necho \'{"failed": {"what": "not today"}}\'\n')
    with pytest.raises(DriverFailed, match="not today"):
        opened({"program": program}).launch(_launch(1, KEY="x" * (3 << 20)))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "needs the option program"),
        ({"program": "driver"}, "absolute"),
        ({"program": "[1]"}, "no list of words"),
        ({"program": "[]"}, "absolute"),
        ({"program": "/bin/true", "seconds": "soon"}, "seconds"),
        ({"program": "/bin/true", "seconds": "0"}, "seconds"),
        ({"program": "/bin/true", "launch_seconds": "inf"}, "at most a day"),
        ({"program": "/bin/true", "pass": "NO_SUCH_VARIABLE_HERE"}, "is not set"),
    ],
)
def test_settings_that_make_no_sense_are_told(options: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError) as caught:
        opened(options)
    assert why in caught.value.diagnosis()


def test_a_program_that_is_not_there_is_told() -> None:
    for path in ("/no/such/program", os.path.dirname(__file__), __file__):  # noqa: PTH120 - a string is wanted
        with pytest.raises(EngineMissing):
            opened({"program": path})


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
