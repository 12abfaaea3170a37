"""Checkov as an optional engine: what is asked of it and what becomes of its answers. The engine itself is played by a small program."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from assaymark.checks.infrastructure.iac import checkov
from assaymark.checks.infrastructure.iac.checkov_place import VERSION, note
from assaymark.checks.infrastructure.iac.checkov_process import Row
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.cli.engine_install import install
from assaymark.compose import make_checks
from assaymark.errors import EngineMissing, PolicyInvalid
from assaymark.model.check import Check, Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import ConfigurationSite
from assaymark.verdict.policy import parse_policy

RECORD = {
    "id": "CKV_AWS_144",
    "name": "Ensure replication",
    "resource": "aws_s3_bucket.b[0]",
    "start": 2,
    "end": 4,
    "url": "",
    "muted": "",
}


def settings(cache: Path) -> CheckSettings:
    return CheckSettings(cache_dir=str(cache), installation_key=Secret(b"k"))


def engine(cache: Path, body: str) -> Check:
    """A check whose interpreter is a program of ours with this body per question; `asked` is the question."""
    program = cache / "python"
    script = f"""\
        #!{sys.executable}
        import json, os, sys
        print(json.dumps({{"ready": True}}), flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            rows, unread = [], []
        """
    loop = textwrap.indent(textwrap.dedent(body), "    ")
    end = '    print(json.dumps({"rows": rows, "unread": unread}), flush=True)\n'
    program.write_text(textwrap.dedent(script) + loop + "\n" + end, "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    place = Path(note(str(cache)))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"version": VERSION, "python": str(program)}), "utf-8")
    return checkov.make(settings(cache))


def ask(check: Check, **files: str) -> Outcome:
    parts = tuple(Part(name.replace("__", "/").replace("_tf", ".tf"), text.encode()) for name, text in files.items())
    ((_, outcome),) = check.run([Input(sha256(repr(parts).encode()), Dialect("terraform"), parts)])
    return outcome


def record(**more: object) -> str:
    return f"rows.append({{**{RECORD!r}, 'file': asked['folder'] + '/main.tf', **{more!r}}})"


def test_a_record_becomes_a_sighting_without_index(tmp_path: Path) -> None:
    found = ask(engine(tmp_path, record(muted="checkov:skip=CKV_AWS_144:later")), main_tf="x")
    assert isinstance(found, Checked)
    (only,) = found.sightings
    assert only.rule == "checkov/CKV_AWS_144"
    assert only.site == ConfigurationSite("aws_s3_bucket.b")
    assert only.member == "main.tf"
    assert only.span
    assert only.span.start_line == 2
    assert only.suppression
    assert only.suppression.marker == "checkov:skip=CKV_AWS_144:later"


def test_the_files_stand_as_they_do_in_the_repository_and_known_ids_are_left_out(tmp_path: Path) -> None:
    body = """
    assert "CKV_AWS_3" in asked["skip"] and "CKV_AWS_144" not in asked["skip"]
    here = asked["folder"]
    unread = [open(here + "/main.tf").read() + open(here + "/../../net/a.tf").read() + open(here + "/sub/b.tf").read()]
    """
    parts = (Part("main.tf", b"1"), Part("../../net/a.tf", b"2"), Part("sub/b.tf", b"3"))
    check = engine(tmp_path, body)
    ((_, found),) = check.run([Input(sha256(b""), Dialect("terraform"), parts)])
    assert found == Unchecked("syntax", "checkov can't parse 123")


def test_what_stands_elsewhere_is_left_to_its_own_unit(tmp_path: Path) -> None:
    body = record(resource="module.x.aws_s3_bucket.b") + "\n" + record(file="/elsewhere/main.tf")
    assert ask(engine(tmp_path, body), main_tf="x") == Checked()


def test_one_process_answers_a_batch_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    check = engine(tmp_path, 'name = open(asked["folder"] + "/main.tf").read()\nif name == "die": os._exit(3)\nunread = [str(os.getpid())]')
    inputs = [Input(sha256(text.encode()), Dialect("terraform"), (Part("main.tf", text.encode()),)) for text in ("a", "b", "die", "c")]
    found = [outcome for _, outcome in check.run(inputs)]
    assert found[0] == found[1] != found[3]
    assert isinstance(found[2], Unchecked)
    assert found[2].reason_class == "engine-failed"


def test_nonsense_is_no_answer(tmp_path: Path) -> None:
    found = ask(engine(tmp_path, 'print("hello", flush=True)'), main_tf="x")
    assert isinstance(found, Unchecked)
    assert found.reason_class == "engine-failed"


def test_names_cannot_leave_the_private_place(tmp_path: Path) -> None:
    place = tmp_path / "place"
    folder = checkov.written((Part("../a/x.tf", b"1"), Part("../../..//../x", b"2"), Part("y.tf", b"3")), place)
    assert (folder / "y.tf").read_bytes() == b"3"
    assert {file.name for file in tmp_path.rglob("*") if file.is_file() and place not in file.parents} == set()


def test_it_is_off_until_switched_on_and_says_when_it_is_missing(tmp_path: Path) -> None:
    names = [check.id for check in make_checks(parse_policy(b""), settings(tmp_path))]
    assert "checkov" not in names
    made = make_checks(parse_policy(b'[checks]\nenable = ["checkov"]\n'), settings(tmp_path))
    (check,) = [each for each in made if each.id == "checkov"]
    with pytest.raises(EngineMissing, match="not installed"):
        check.knowledge()
    with pytest.raises(PolicyInvalid, match="enable"):
        make_checks(parse_policy(b'[checks]\nenable = ["nothing"]\n'), settings(tmp_path))


def test_an_installation_that_fails_is_none_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine(tmp_path, "")
    asked: list[list[str]] = []

    def run(arguments: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(arguments)
        return subprocess.CompletedProcess(arguments, len(asked) - 1, "", "ERROR: no matching distribution\n\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(EngineMissing) as caught:
        install(str(tmp_path))
    assert [arguments[1:3] for arguments in asked] == [["-m", "venv"], ["-m", "pip"]]
    assert "can't be installed" in caught.value.what
    assert caught.value.why == "ERROR: no matching distribution"
    assert not Path(note(str(tmp_path))).exists()


def test_rows_keep_their_order_whatever_the_report_says(tmp_path: Path) -> None:
    rows = [Row(str(n), "", f"a.b{n}", str(tmp_path / "m.tf"), n, n, "", "") for n in (3, 1, 2)]
    assert [row.id for row in checkov._own(rows, tmp_path)] == ["1", "2", "3"]
