"""Mutated input against every parser: no crash, no hang, bounded memory.

Each target runs in a child process with limits, for ``ASSAYMARK_FUZZ_SECONDS`` (half a second in the quick run, 100 in the long one).
A failure prints the input that caused it, so that it can become a test with a name.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fuzz.fuzz_targets import Fuzzed, targets

from assaymark.checks.application.secrets.check import warm
from assaymark.checks.settings import CheckSettings, Secret

MEMORY = 4 << 30
"""Address space: the scanners of secrets reserve more than they use."""
HANG = 20
"""Seconds for one input of at most a few kilobytes."""
_TOKENS = (
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b'"',
    b"'",
    b"\\",
    b"\n",
    b"\0",
    b"\xff",
    b"&a",
    b"*a",
    b"${",
    b"<!--",
    b"-----BEGIN ",
    b"%",
    b":",
    b"\r",
    b"\xe2\x80\xa8",
)


@pytest.fixture(scope="session")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fuzzed]:
    cache = tmp_path_factory.mktemp("fuzz")
    warm(CheckSettings(str(cache), Secret(b"a key for fuzzing only")))
    return dict(targets(cache))


NAMES = sorted(targets(Path("/nonexistent")))


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """A few edits that parsers dislike."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0:
                data[at:at] = chance.choice(_TOKENS)
            case 1:
                del data[at : at + chance.randint(1, 8)]
            case 2:
                data[at:at] = data[max(0, at - 20) : at]
            case 3 if data:
                data[at % len(data)] = chance.randrange(256)
            case 4:
                data[at:at] = chance.choice(_TOKENS) * chance.choice((2, 50, 1500))
            case 5:
                data[at:at] = chance.randbytes(chance.randint(1, 16))
            case _:
                data[at:] = b""
    return bytes(data[: 1 << 16])


def fuzz(target: Fuzzed, seconds: float, seed: int) -> int:
    """Run until the time is over; gives how many inputs were tried."""
    chance = random.Random(seed)
    pool = list(target.seeds)
    end, tried = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = mutated(chance.choice(pool), chance)
        signal.alarm(HANG)
        try:
            target.run(data)
        except target.may:
            pass
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__}: {error} on {data!r}") from error
        finally:
            signal.alarm(0)
        tried += 1
        if chance.random() < 0.02 and len(pool) < 400:
            pool.append(data)
    return tried


def in_child(target: Fuzzed, seconds: float, seed: int) -> None:
    """A crash of the interpreter, a hang or an eater of memory must fail the test, not end the run."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            code = 0 if fuzz(target, seconds, seed) else 3
        except AssertionError as error:
            os.write(2, f"\n{str(error)[:4000]}\n".encode("utf-8", "backslashreplace"))
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0, (
        f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}; the input stands above"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_parser_survives_what_strangers_write(name: str, every: dict[str, Fuzzed]) -> None:
    in_child(every[name], float(os.environ.get("ASSAYMARK_FUZZ_SECONDS", "0.5")), seed=20261123)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_a_parser_survives_for_long(name: str, every: dict[str, Fuzzed]) -> None:
    in_child(every[name], float(os.environ.get("ASSAYMARK_FUZZ_SECONDS", "100")), seed=int(time.time()))
