"""The address of a network's bridge, held fast.

A bridge takes the lowest address of its ports, so it may change with every container that comes or goes; the others then answer to one that
nobody has any more, for half a minute, until they ask anew: measured, all requests of a generation stalled when its predecessor was burnt.
An address that was set on purpose, if only to what it is, is not changed by the kernel.

Guarantees that the bridge keeps the address that it has when this returns. Only root reaches containers by a bridge, so only root needs it.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from pathlib import Path

from assaymark.deployment.drivers.driver import DriverFailed

_SIOCGIFHWADDR, _SIOCSIFHWADDR = 0x8927, 0x8924
_SET = "3"
"""Of ``addr_assign_type``: by whoever runs the machine."""
_NAME = 16


def held(interface: str) -> None:
    """The bridge keeps its address; nothing is done where there is no such bridge, or its address is held already.

    Raises:
        DriverFailed: when that is not allowed.
    """
    place = Path("/sys/class/net") / interface
    try:
        if not (place / "bridge").is_dir() or (place / "addr_assign_type").read_text().strip() == _SET:
            return
        name = interface.encode().ljust(_NAME, b"\0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
            said = fcntl.ioctl(there, _SIOCGIFHWADDR, struct.pack("16s24x", name))
            fcntl.ioctl(there, _SIOCSIFHWADDR, name + said[_NAME:])
    except FileNotFoundError:
        return  # it went with its last container
    except OSError as error:
        advice = f"as root: ip link set {interface} address $(cat /sys/class/net/{interface}/address)"
        raise DriverFailed(f"the address of {interface} cannot be held", why=str(error), advice=advice) from error
