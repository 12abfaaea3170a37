from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.engine.conftest import Toy, judge

from assaymark.engine.limits import Limits
from assaymark.engine.plan import Plan, Side, plan
from assaymark.engine.run import Means, Results, run
from assaymark.engine.units import Member, Unit, unit_digest
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked, UnitKind
from assaymark.model.digest import Digest, sha256
from assaymark.model.subject import Content, Entry
from assaymark.testing.memory import MemoryFacts, MemorySubject

pytestmark = pytest.mark.timeout(60)


def assay(files: dict[str, bytes], *checks: Toy, means: Means | None = None) -> dict[str, Outcome]:
    """Outcome by (check and) path of a subject that is new altogether."""
    results, made = assay_all(files, *checks, means=means)
    return {placed.path: results.outcomes[placed.key] for placed in made.head}


def assay_all(files: dict[str, bytes], *checks: Toy, means: Means | None = None) -> tuple[Results, Plan]:
    subject = MemorySubject(files)
    entries = list(subject.entries())
    made = plan(checks, Side(whole=()), Side(entries=entries, whole=entries))
    return run(made, checks, (MemorySubject({}).reader(), subject.reader()), means), made


def reason(outcome: Outcome) -> str:
    return outcome.reason_class if isinstance(outcome, Unchecked) else ""


class Scripted:
    """A reader, and its recipe, that answers by a function."""

    def __init__(self, answer: Callable[[Sequence[Digest]], Iterator[Content]]) -> None:
        self._answer = answer

    def open(self) -> Scripted:
        return self

    def read(self, digests: Sequence[Digest], *, limit: int) -> Iterator[Content]:
        return self._answer(digests)

    def close(self) -> None:
        raise OSError


def found(outcome: Outcome) -> int:
    """How many sightings there are; a gap is no number."""
    assert isinstance(outcome, Checked)
    return len(outcome.sightings)


def words(outcome: Outcome) -> str:
    return outcome.reason if isinstance(outcome, Unchecked) else ""


def test_outcomes_are_those_of_the_checks(toy: Toy) -> None:
    seen = assay({"a.py": b"bad", "b.py": b"good", "c.py": b"SYNTAX", "d.py": b"BINARY"}, toy)
    assert seen == {
        path: judge(Input(sha256(data), Dialect("py"), (Part("", data),)))
        for path, data in {"a.py": b"bad", "b.py": b"good", "c.py": b"SYNTAX", "d.py": b"BINARY"}.items()
    }


@pytest.mark.parametrize(
    ("order", "kind"),
    [
        ("RAISE", "engine-failed"),
        ("EXIT", "engine-failed"),
        ("SEGV", "engine-failed"),
        ("SILENT", "engine-failed"),
        ("KILL", "memory"),
        ("EAT", "memory"),
        ("HANG", "timeout"),
        ("SPIN", "timeout"),
    ],
)
def test_an_input_that_breaks_its_check_stands_alone(toy: Toy, hurried: Limits, order: str, kind: str) -> None:
    files = {f"{number}.py": b"bad %d" % number for number in range(40)} | {"evil.py": order.encode()}
    seen = assay(files, toy, Toy("other", suffix="5.py"), means=Means(limits=hurried))
    assert reason(seen.pop("evil.py")) == kind
    assert all(isinstance(outcome, Checked) for outcome in seen.values())


def test_the_words_on_a_failure_quote_neither_the_error_nor_the_content(toy: Toy) -> None:
    outcome = assay({"evil.py": b"RAISE hunter3"}, toy)["evil.py"]
    assert isinstance(outcome, Unchecked)
    assert "RuntimeError" in outcome.reason
    assert "hunter" not in outcome.reason


@pytest.mark.parametrize("order", ["TWICE", "STRANGE"])
def test_second_words_and_words_on_unknown_inputs_count_for_nothing(toy: Toy, order: str) -> None:
    assert assay({"a.py": order.encode()}, toy) == {"a.py": Checked()}


@pytest.mark.parametrize("isolate", [True, False])
@pytest.mark.parametrize("where", ["knowledge", "run"])
def test_a_missing_tool_leaves_every_input_unchecked_and_other_checks_alone(toy: Toy, where: str, isolate: bool) -> None:
    other = Toy("other", suffix=".sh")
    toy.missing = where
    files = {f"{number}.py": b"%d" % number for number in range(100)} | {"a.sh": b"bad"}
    toy.suffix = ".py"
    seen = assay(files, toy, other, means=Means(limits=Limits(isolate=isolate)))
    assert isinstance(seen.pop("a.sh"), Checked)
    assert {reason(outcome) for outcome in seen.values()} == {"engine-missing"}
    assert "toy-tool" in words(seen["1.py"])


def test_a_check_that_always_fails_is_given_up(toy: Toy) -> None:
    files = {f"{number}.py": b"EXIT %d" % number for number in range(300)}
    before = time.perf_counter()
    seen = assay(files, toy)
    assert {reason(outcome) for outcome in seen.values()} == {"engine-failed"}
    assert any("in a row" in words(outcome) for outcome in seen.values())
    assert time.perf_counter() - before < 10


def test_content_that_cannot_be_had_is_unchecked_with_the_reason(toy: Toy) -> None:
    def answer(digests: Sequence[Digest]) -> Iterator[Content]:
        problems = {sha256(b"1"): "missing", sha256(b"2"): "too-large", sha256(b"3"): "changed", sha256(b"4"): "unreadable"}
        for digest in digests:
            if digest in problems:
                yield Content(digest, None, -1, problems[digest])
            elif digest != sha256(b"5"):
                yield Content(digest, b"fine", 4)

    entries = [Entry(f"{number}.py", sha256(b"%d" % number)) for number in range(1, 7)]
    made = plan([toy], Side(), Side(entries=entries))
    for isolate in (True, False):
        results = run(made, [toy], [Scripted(answer)] * 2, Means(limits=Limits(isolate=isolate)))
        assert [reason(results.outcomes[placed.key]) for placed in made.head] == ["missing", "size", "changed", "unreadable", "missing", ""]


def test_a_reader_that_raises_spoils_only_what_it_cannot_read(toy: Toy) -> None:
    def answer(digests: Sequence[Digest]) -> Iterator[Content]:
        for digest in digests:
            if digest == sha256(b"7"):
                raise OSError("quotes a path")
            yield Content(digest, b"fine", 4)

    made = plan([toy], Side(), Side(entries=[Entry(f"{number}.py", sha256(b"%d" % number)) for number in range(30)]))
    for isolate in (True, False):
        results = run(made, [toy], [Scripted(answer)] * 2, Means(limits=Limits(isolate=isolate)))
        assert {placed.path: reason(results.outcomes[placed.key]) for placed in made.head if reason(results.outcomes[placed.key])} == {
            "7.py": "unreadable"
        }


def test_content_that_left_the_working_tree_is_taken_from_the_other_side(toy: Toy) -> None:
    base = MemorySubject({"a.py": b"bad"})
    made = plan([toy], Side(), Side(entries=list(base.entries())))
    results = run(made, [toy], (base.reader(), MemorySubject({}).reader()))
    assert [found(outcome) for outcome in results.outcomes.values()] == [1]


def test_files_above_the_limit_are_not_read(toy: Toy) -> None:
    seen = assay({"big.py": b"x" * 2000, "small.py": b"x"}, toy, means=Means(limits=Limits(max_bytes=1000)))
    assert reason(seen["big.py"]) == "size"
    assert reason(seen["small.py"]) == ""


def test_a_unit_above_its_limit_is_not_read(make_toy: type[Toy]) -> None:
    check = make_toy("tree", UnitKind.TREE, dialect="all")
    seen = assay(
        {f"{number}.py": b"x" * 900 + b"%d" % number for number in range(10)}, check, means=Means(limits=Limits(max_unit_bytes=2000))
    )
    assert reason(seen[""]) == "size"


@pytest.mark.parametrize("kind", list(UnitKind))
def test_every_kind_of_unit_flows_through_plan_run_and_memory(kind: UnitKind) -> None:
    check, contents = Toy("wide", kind, dialect="all"), {"m/a": b"bad", "m/b": b"good"}
    members = tuple(Member(path[2:], sha256(data), len(data)) for path, data in contents.items())
    unit = Unit(kind, "m", unit_digest(kind, members), members)
    subject = MemorySubject(contents, units=[unit])
    entries = list(subject.entries())
    side = Side(entries=entries, whole=entries, units=list(subject.units(kind)))
    made = plan([check], Side(whole=()), side)
    memory = MemoryFacts()
    for hits in (0, len(made.inputs)):
        results = run(made, [check], (subject.reader(), subject.reader()), Means(memory=memory))
        assert results.runs[0].hits == hits
        assert sum(found(outcome) for outcome in results.outcomes.values()) == 1
    if kind is not UnitKind.BLOB:
        outcome = next(iter(results.outcomes.values()))
        assert isinstance(outcome, Checked)
        (sighting,) = outcome.sightings
        assert sighting.member.endswith("a")


def test_statistics_count_inputs_hits_skips_and_gaps(toy: Toy) -> None:
    files = {"a.py": b"bad", "b.py": b"BINARY", "c.py": b"SYNTAX", "d.py": b"RAISE"}
    memory = MemoryFacts()
    first, _ = assay_all(files, toy, means=Means(memory=memory))
    again, _ = assay_all(files, toy, means=Means(memory=memory))
    assert (first.runs[0].inputs, first.runs[0].hits, first.runs[0].unchecked, first.runs[0].skipped) == (4, 0, 2, (("binary", 1),))
    assert (again.runs[0].inputs, again.runs[0].hits, again.runs[0].unchecked) == (4, 3, 2)
    assert first.runs[0].seconds > 0
    assert first.outcomes == again.outcomes


def test_failures_of_the_moment_are_asked_again(toy: Toy, hurried: Limits) -> None:
    memory = MemoryFacts()
    assay({"a.py": b"RAISE", "b.py": b"HANG", "c.py": b"KILL", "d.py": b"SILENT"}, toy, means=Means(memory=memory, limits=hurried))
    assert memory.rows == {}


def test_other_knowledge_or_version_or_dialect_is_another_fact(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = MemoryFacts()
    sizes = []
    for attribute, value in (("version", "1"), ("version", "2"), ("knowledge", lambda: "other"), ("dialect", "else")):
        monkeypatch.setattr(toy, attribute, value)
        assay({"a.py": b"x"}, toy, means=Means(memory=memory))
        sizes.append(len(memory.rows))
    assert sizes == [1, 2, 3, 4]


def test_each_content_is_read_once_for_all_checks(toy: Toy, tmp_path: Path) -> None:
    subject = MemorySubject({f"{number}.py": b"%d" % number for number in range(200)})
    log = tmp_path / "reads"

    reader = subject.reader().open()

    def answer(digests: Sequence[Digest]) -> Iterator[Content]:
        with log.open("a") as file:
            file.write("".join(f"{digest}\n" for digest in digests))
        return reader.read(digests, limit=1 << 20)

    source = Scripted(answer)
    checks = [toy, Toy("second"), Toy("third")]
    made = plan(checks, Side(), Side(entries=list(subject.entries())))
    run(made, checks, (source, source))
    assert sorted(log.read_text().split()) == sorted(entry.digest for entry in subject.entries())


def test_cancelling_keeps_what_is_finished_and_ends_the_workers(toy: Toy) -> None:
    memory, asked = MemoryFacts(), time.monotonic()
    files = {f"{number}.py": b"%d" % number for number in range(10)} | {"z.py": b"HANG"}
    means = Means(
        memory=memory,
        limits=Limits(tiny_inputs=1, tiny_bytes=1, batch_inputs=1, workers=2),
        cancelled=lambda: time.monotonic() > asked + 0.5,
    )
    results, _ = assay_all(files, toy, means=means)
    assert results.was_cancelled
    assert [reason(outcome) for outcome in results.outcomes.values()].count("cancelled") == 1
    assert len(memory.rows) == 10


def test_ctrl_c_remembers_what_is_finished_and_leaves_no_worker(toy: Toy) -> None:
    memory = MemoryFacts()

    def interrupt() -> bool:
        if memory_is_due[0]:
            raise KeyboardInterrupt
        memory_is_due[0] = time.monotonic() > start + 0.5
        return False

    start, memory_is_due = time.monotonic(), [False]
    files = {f"{number}.py": b"%d" % number for number in range(10)} | {"z.py": b"HANG"}
    with pytest.raises(KeyboardInterrupt):
        assay(
            files,
            toy,
            means=Means(memory=memory, limits=Limits(tiny_inputs=1, tiny_bytes=1, batch_inputs=1, workers=2), cancelled=interrupt),
        )
    assert len(memory.rows) == 10


class Compiling(Toy):
    """Builds something at its first use in every process."""

    is_ready = False

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        if not self.is_ready:
            time.sleep(1.0)
            self.is_ready = True
        return super().run(inputs)


def test_a_checks_first_use_may_take_longer(hurried: Limits) -> None:
    files = {"a.py": b"x", "b.py": b"bad"}
    assert {reason(outcome) for outcome in assay(files, Compiling(), means=Means(limits=hurried)).values()} == {"timeout"}
    patient = replace(hurried, first_use_seconds=10.0)
    assert {reason(outcome) for outcome in assay(files, Compiling(), means=Means(limits=patient)).values()} == {""}


def test_the_whole_runs_time_ends_it(toy: Toy) -> None:
    before = time.monotonic()
    seen = assay({"a.py": b"HANG", "b.py": b"x"}, toy, means=Means(limits=Limits(overall_seconds=0.5)))
    assert time.monotonic() - before < 5
    assert reason(seen["a.py"]) == "timeout"


def test_a_system_without_processes_leaves_gaps_and_no_error(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "no more processes")

    monkeypatch.setattr(os, "fork", fork)
    assert reason(assay({"a.py": b"x"}, toy)["a.py"]) == "engine-failed"


def test_a_check_cannot_write_to_our_terminal_or_read_our_input(capfd: pytest.CaptureFixture[str]) -> None:
    class Noisy(Toy):
        def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
            os.write(1, b"noise")
            os.write(2, b"noise")
            assert os.read(0, 1) == b""
            return super().run(inputs)

    assert found(assay({"a.py": b"bad"}, Noisy())["a.py"]) == 1
    assert capfd.readouterr() == ("", "")


def test_a_worker_holds_none_of_our_files() -> None:
    class Counting(Toy):
        def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
            assert len(list(Path("/proc/self/fd").iterdir())) <= 6  # three streams, the socket, the lifeline, the folder being listed
            return super().run(inputs)

    with Path(os.devnull).open() as _, Path(os.devnull).open() as _:
        assert isinstance(assay({"a.py": b"x"}, Counting())["a.py"], Checked)


def test_a_program_that_a_check_started_ends_with_its_time(tmp_path: Path, hurried: Limits) -> None:
    class Launching(Toy):
        def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
            child = subprocess.Popen(["sleep", "600"])
            (tmp_path / "pid").write_text(str(child.pid))
            child.wait()
            yield from super().run(inputs)

    assert reason(assay({"a.py": b"x"}, Launching(), means=Means(limits=hurried))["a.py"]) == "timeout"
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while _is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


ORPHANS = """
import os, sys
sys.path[:0] = [{root!r}, {source!r}]
from pathlib import Path
from tests.engine.conftest import Toy
from tests.engine.test_engine_run import assay
class Telling(Toy):
    def run(self, inputs):
        Path({mark!r}).write_text(str(os.getpid()))
        return super().run(inputs)
assay({{"a.py": b"HANG"}}, Telling())
"""


def test_workers_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    mark = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", ORPHANS.format(root=str(root), source=str(root / "src"), mark=str(mark))])
    deadline = time.monotonic() + 20
    while not (mark.exists() and mark.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while _is_alive(int(mark.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_more_outcomes_than_a_socket_holds_arrive(toy: Toy) -> None:
    files = {f"{number}.py": b"bad %d " % number + b"x" * 300 for number in range(5000)}
    seen = assay(files, toy, means=Means(limits=Limits(batch_inputs=5000, workers=1)))
    assert sum(found(outcome) for outcome in seen.values()) == 5000


def test_digest_of_a_foreign_git_format_is_a_name_like_another(toy: Toy) -> None:
    digest = Digest("git-sha256:" + "a" * 64)

    source = Scripted(lambda digests: iter([Content(each, b"bad", 3) for each in digests]))
    made = plan([toy], Side(), Side(entries=[Entry("a.py", digest)]))
    assert found(run(made, [toy], [source, source]).outcomes[made.head[0].key]) == 1
