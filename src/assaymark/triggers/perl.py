"""Whether the hook may ask in Perl: the interpreter that Debian's git brings, at the one place where a system puts it.

Guarantees that what `daemon/ask.pl` takes for granted (a 64-bit Linux and the numbers that its kernel uses) is looked at before a hook
is written that relies on it. Does not look for Perl on the PATH: nobody's folder may take its place.
"""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from pathlib import Path

PERL = Path("/usr/bin/perl")
_IS_NEW_ENOUGH = 'exit($] >= 5.010 && length pack("J", 0) == 8 ? 0 : 1)'
_NUMBERS = {"AF_UNIX": 1, "SOCK_STREAM": 1, "SOL_SOCKET": 1, "SO_RCVTIMEO": 20, "SO_SNDTIMEO": 21}


def is_usable(perl: Path = PERL) -> bool:
    """Whether this Perl can be the client on this machine."""
    if sys.platform != "linux" or sys.maxsize < 1 << 62 or errno.EAGAIN != 11:
        return False
    if any(getattr(socket, name, None) != number for name, number in _NUMBERS.items()):
        return False
    try:
        return subprocess.run([perl, "-f", "-e", _IS_NEW_ENOUGH], env={}, capture_output=True, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
