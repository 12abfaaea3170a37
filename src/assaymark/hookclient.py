"""The hook's client: asks the daemon, or becomes the program when none answers. Hooks run it through `daemon/ask.py`, compiled.

Guarantees: the arguments, folder, environment and terminal state reach the daemon as the program would see them; output and exit code come
back unchanged; without a daemon that is this user's, of this installation and of this very code, the program runs instead. Once anything
was printed nothing is run a second time. ``ASSAYMARK_DAEMON=off`` never asks.

It starts no daemon and loads nothing but built-in modules: it runs at every commit, so it is kept short.
"""

import posix
import sys

ACCEPTED, OUT, ERR, EXIT, DECLINED = range(5)
"""Frames of the answer: one byte kind, four bytes length, body."""
PROTOCOL = "assay/1"
PATIENCE = 2.0
"""Seconds in which a daemon must take the request."""
FAMILIES = (b"ASSAYMARK_", b"GIT_", b"LC_", b"XDG_")
NAMES = frozenset(
    b"CI CLICOLOR CLICOLOR_FORCE COLORTERM COLUMNS FORCE_COLOR HOME LANG LANGUAGE LINES LOGNAME NO_COLOR PATH TERM TMPDIR TZ USER".split()
)
PROGRAM = (
    "import sys;p,m=%r;s=sys.path;p in s or s.insert(next((i for i,f in enumerate(s) if f.endswith('-packages')),len(s)),p);"
    "sys.exit(__import__(m,fromlist=['main']).main())"
)
"""Text of a program that runs a module of this very installation, found before any other but after Python's own library."""


def package_folder(file: str = __file__) -> str:
    """The folder of this installation's package."""
    return file.rpartition("/")[0] or "."


def program(module: str) -> str:
    """For ``python -c``: the module's `main`."""
    return PROGRAM % ((package_folder().rpartition("/")[0], module),)


def stamp(file: str = __file__) -> str:
    """Tells this version of the code from any other at the same place; whole seconds, for Perl knows no others (`daemon/ask.pl`)."""
    device, inode, size, modified, changed = map(posix.stat(file).__getitem__, (2, 1, 6, 8, 9))
    return f"{device:x}.{inode:x}.{modified:x}.{changed:x}.{size:x}"


def socket_folder() -> str:
    """Where this user's sockets are; empty when there is no such place."""
    get = posix.environ.get
    runtime, cache, home = get(b"XDG_RUNTIME_DIR", b""), get(b"XDG_CACHE_HOME", b""), get(b"HOME", b"")
    if runtime.startswith(b"/"):
        return runtime.decode("utf-8", "surrogateescape") + "/assaymark"
    cache = cache if cache.startswith(b"/") else home + b"/.cache"
    return cache.decode("utf-8", "surrogateescape") + "/assaymark/run" if cache.startswith(b"/") else ""


def socket_name(file: str = __file__) -> str:
    """One socket per installation and interpreter (FNV-1a: a collision is harmless, the daemon looks at the stamp)."""
    status = posix.stat(package_folder(file))
    number = 0xCBF29CE484222325
    for byte in f"{status.st_dev}.{status.st_ino}.{sys.executable}".encode("utf-8", "surrogateescape"):
        number = (number ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{number:016x}.sock"


def request(arguments: list[str]) -> bytes:
    """What is asked: fields that can hold no zero byte, joined by zero bytes, after their length."""
    mask = posix.umask(0o77)
    posix.umask(mask)
    terminals = "".join("01"[posix.isatty(number)] for number in (0, 1, 2))
    fields = [PROTOCOL, stamp(), sys.executable, f"{mask:o}", terminals, str(len(arguments)), *arguments]
    parts = [field.encode("utf-8", "surrogateescape") for field in fields]
    parts.append(posix.getcwdb())
    parts += [name + b"=" + value for name, value in sorted(posix.environ.items()) if name in NAMES or name.startswith(FAMILIES)]
    body = b"\0".join(parts)
    return len(body).to_bytes(4, "big") + body


def ask(path: str, data: bytes) -> int | None:
    """The daemon's exit code, or None when it did not take the request and nothing was printed."""
    import _socket  # noqa: PLC0415 - not needed when there is no socket

    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    printed = False
    try:
        link.settimeout(PATIENCE)
        link.connect(path)
        # With standard input itself, so that a hook that reads it reads the real one.
        stdin = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, (0).to_bytes(4, sys.byteorder))] if _is_open(0) else []
        rest = data[link.sendmsg([data], stdin) :]
        if rest:  # to send nothing fails as well when the daemon has answered and gone
            link.sendall(rest)
        buffer = b""
        while chunk := link.recv(65536):
            buffer += chunk
            while len(buffer) >= 5 and len(buffer) >= (end := 5 + int.from_bytes(buffer[1:5], "big")):
                kind, body, buffer = buffer[0], buffer[5:end], buffer[end:]
                if kind == EXIT:
                    return body[0]
                if kind == ACCEPTED:
                    link.settimeout(None)
                elif kind in (OUT, ERR):
                    printed = True
                    _print(kind, body)
                else:
                    return None
    except OSError:
        pass
    finally:
        link.close()
    if printed:
        _print(ERR, b"assay: the daemon ended before its answer did; please run the command again\n")
        return 4
    return None


def _is_open(number: int) -> bool:
    try:
        posix.fstat(number)
    except OSError:
        return False
    return True


def _print(number: int, body: bytes) -> None:
    try:
        while body:
            body = body[posix.write(number, body) :]
    except BlockingIOError:
        import select  # noqa: PLC0415 - a terminal that somebody made non-blocking is rare

        select.select([], [number], [])
        _print(number, body)
    except OSError:  # nobody reads any more
        posix._exit(1)  # noqa: SLF001


def is_private(folder: str) -> bool:
    """Whether only this user can have made what is in the folder."""
    try:
        status = posix.lstat(folder)
    except OSError:
        return False
    return status.st_uid == posix.geteuid() and status.st_mode & 0o170077 == 0o040000


def main(arguments: list[str]) -> None:
    """Answer, one way or the other; does not return."""
    try:
        folder = "" if posix.environ.get(b"ASSAYMARK_DAEMON") == b"off" else socket_folder()
        code = ask(f"{folder}/{socket_name()}", request(arguments)) if folder and is_private(folder) else None
    except KeyboardInterrupt:
        code = 130
    except OSError:
        code = None
    if code is not None:
        posix._exit(code)  # noqa: SLF001 - nothing is left to tidy up, and tidying costs
    posix.execv(sys.executable, [sys.executable, "-I", "-c", program("assaymark.cli.hook"), *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
