"""What the post-receive hook of a plain git host runs: tells the server which refs moved.

Guarantees: the push is over when this runs and cannot fail by it; who pushed waits `PATIENCE` seconds at most, and when the server has not
taken the news by then he is told so, and a process of its own goes on trying for some minutes; what it could not deliver either lies beside
the repository and is sent with the next push. So the server may hear of a push late, and twice, but never of none while pushes go on.
The token is read from a file that nobody else can read, and is sent to the server that the hook was installed for and to no other: no
redirect is followed, no proxy is used. Nothing but Python's own library is loaded.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import select
import ssl
import stat
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE = 1.5
"""Seconds: a server that is there answers in milliseconds."""
_LATER = (5, 15, 60, 180, 600)
_LATER_SECONDS = 30.0
_MOST_INPUT = 4 << 20
_MOST_CHANGES = 1000
"""Of one call; the server takes no more."""
_MOST_KEPT = 500
_TAKEN = (200, 202)
_HELPLESS = (401, 403, 404)
"""Trying again changes nothing until somebody has done something."""
_NEVER = (400, 413, 422)
"""This news will never be taken, and must not stand in the way of the next."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Trouble(Exception):  # noqa: N818 - says what it is
    """Why the server did not take it."""

    def __init__(self, why: str, *, lasting: bool = False, never: bool = False) -> None:
        super().__init__(why)
        self.lasting, self.never = lasting or never, never


def main() -> int:
    """Read git's lines, tell the server. Always 0: the push has happened."""
    parser = argparse.ArgumentParser(prog="assay post-receive", allow_abbrev=False)
    for name in ("--server", "--repository", "--token-file"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    folder = Path(os.environ.get("GIT_DIR") or ".").absolute() / "assaymark"
    message = told(sys.stdin.buffer.read(_MOST_INPUT), given.repository)
    for each in message:
        keep(folder, each)
    if not message:
        return 0
    said = _ask_apart(folder, given.server, Path(given.token_file))
    if said:
        sys.stderr.write(f"assay: {given.server} was not told of this push{said}\n")
    return 0


def _ask_apart(folder: Path, server: str, token_file: Path) -> str:
    """Let a process of its own tell the server, and go on as long as need be; gives what is to be said after `PATIENCE` seconds.

    Whoever pushed waits for the end of everything that holds git's pipes, so that process lets go of them first.
    """
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.setsid()
            os.close(reading)
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(nothing, number)
            _tell(folder, server, token_file, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        if not select.select([answers], [], [], PATIENCE)[0]:
            return f" within {PATIENCE} s: it is tried further in the background"
        return answers.read(4096).decode("utf-8", "replace")


def _tell(folder: Path, server: str, token_file: Path, writing: int) -> None:
    said, again = "", False
    try:
        send_kept(folder, server, token_of(token_file), _LATER_SECONDS)
    except Trouble as error:
        again = not error.lasting
        said = f": {error}; " + ("trying again in the background" if again else "tell the administrator of this git host")
    except OSError as error:
        said, again = f": {error.strerror}; trying again in the background", True
    with suppress(OSError):
        os.write(writing, said.encode("utf-8", "replace")[:4096])
        os.close(writing)
    if again:
        try_again(folder, server, token_file, _LATER)


def told(lines: bytes, repository: str) -> list[dict[str, object]]:
    """Git's lines ``<old> <new> <ref>`` as documents for the server; only branches and tags."""
    changes = []
    for line in lines.decode("utf-8", "replace").splitlines():
        before, _, rest = line.partition(" ")
        after, _, ref = rest.partition(" ")
        if ref.startswith(("refs/heads/", "refs/tags/")) and "\ufffd" not in ref:
            changes.append({"ref": ref, "before": before, "after": after})
    who = next((os.environ[name] for name in ("REMOTE_USER", "GL_USERNAME", "GL_USER", "USER", "LOGNAME") if os.environ.get(name)), "")
    actor = {"actor": who[:200]} if who.isprintable() and who else {}
    parts = [changes[first : first + _MOST_CHANGES] for first in range(0, len(changes), _MOST_CHANGES)]
    return [{"repository": repository, "changes": part, **actor} for part in parts]


def token_of(path: Path) -> str:
    """The token in a file that only its owner can read.

    Raises:
        Trouble: when the file is open to others or holds none.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror}", lasting=True) from error
    with os.fdopen(file, "rb") as stream:
        if stat.S_IMODE(os.fstat(file).st_mode) & 0o077:
            raise Trouble(f"{path} is open to others; do this: chmod 600 {path}", lasting=True)
        token = stream.read(4096).decode("utf-8", "replace").strip()
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise Trouble(f"{path} holds no token", lasting=True)
    return token


# --- what waits ------------------------------------------------------------------------------------------------------


def keep(folder: Path, message: dict[str, object]) -> None:
    """Write it down before anybody is asked, under a name that sorts by time and is the same when it is sent again."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        waiting = sorted(folder.glob("*.json"))
        for old in waiting[: max(0, len(waiting) - _MOST_KEPT + 1)]:
            old.unlink(missing_ok=True)
        path = folder / f"{time.time_ns():020d}-{os.urandom(6).hex()}.json"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(message), encoding="utf-8")
        draft.replace(path)


def send_kept(folder: Path, server: str, token: str, seconds: float) -> int:
    """Everything that waits, oldest first; gives how many the server took.

    Raises:
        Trouble: at the first that it did not take.
    """
    ends = time.monotonic() + seconds
    taken = 0
    for path in sorted(folder.glob("*.json")):
        left = ends - time.monotonic()
        if left <= 0:
            raise Trouble("it takes long to answer")
        try:
            body = path.read_bytes()
        except FileNotFoundError:  # another push was quicker
            continue
        try:
            _post(server, token, body, path.stem, left)
        except Trouble as error:
            if error.never:
                path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)
        taken += 1
    return taken


def need_safe(server: str) -> None:
    """A token can be sent there.

    Raises:
        Trouble: when it cannot.
    """
    parts = urlsplit(server)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise Trouble(f"{server!r} is no address of a server", lasting=True)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise Trouble("a token is not sent in the clear: the server's address needs https", lasting=True)


def _post(server: str, token: str, body: bytes, key: str, seconds: float) -> None:
    need_safe(server)
    parts = urlsplit(server)
    assert parts.hostname  # noqa: S101 - looked at
    link: http.client.HTTPConnection
    if parts.scheme == "https":
        link = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=seconds, context=ssl.create_default_context())
    else:
        link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": key, "User-Agent": "assaymark"}
    try:
        link.request("POST", f"{parts.path.rstrip('/')}/api/v1/triggers", body, headers)
        answer = link.getresponse()
        said = answer.read(65536)
    except (OSError, http.client.HTTPException) as error:
        raise Trouble(getattr(error, "strerror", None) or str(error) or "it does not answer") from error
    finally:
        link.close()
    if answer.status not in _TAKEN:
        raise Trouble(f"it answered {answer.status}{_reason(said)}", lasting=answer.status in _HELPLESS, never=answer.status in _NEVER)


def _reason(said: bytes) -> str:
    try:
        problem = json.loads(said)
        words = " ".join(str(problem.get(name, "")) for name in ("title", "detail", "advice")).split()
    except (ValueError, AttributeError, RecursionError):
        return ""
    text = " ".join(words)[:300]
    return f": {''.join(letter if letter.isprintable() else ' ' for letter in text)}" if text else ""


def try_again(folder: Path, server: str, token_file: Path, pauses: Sequence[float]) -> bool:
    """Until it is taken, refused for good, or the last pause is over."""
    for pause in pauses:
        time.sleep(pause)
        try:
            send_kept(folder, server, token_of(token_file), _LATER_SECONDS)
        except Trouble as error:
            if error.lasting:
                return False
        except OSError:
            continue
        else:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
