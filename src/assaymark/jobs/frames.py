"""What worker, nursery and runner say to each other: four bytes of length, then msgpack.

Both ends are our own processes on one machine; a frame of another form means that one of them is broken, and ends the conversation.
"""

from __future__ import annotations

import socket

import msgspec
from msgspec import Struct

from assaymark.formats.undecodable import UNDECODABLE

MOST_BYTES = 16 << 20


class Broken(Exception):  # noqa: N818 - says what became of the other end
    """The other end is gone or talks nonsense."""


class HungUp(Broken):
    """The other end closed the link."""


class Order(Struct, frozen=True, array_like=True, tag="order"):
    """Worker to runner: do this."""

    kind: str
    arguments: dict[str, int | str | bool | None]
    attempt: int
    is_last: bool
    seconds: int


class Stop(Struct, frozen=True, array_like=True, tag="stop"):
    """Worker to runner: somebody cancelled what you do."""


class Done(Struct, frozen=True, array_like=True, tag="done"):
    """Runner to worker."""


class Failed(Struct, frozen=True, array_like=True, tag="failed"):
    """Runner to worker; the reason holds no secret."""

    error: str


class Begin(Struct, frozen=True, array_like=True, tag="begin"):
    """Worker to nursery, with two files: the runner's link and where its output goes."""

    number: int
    niceness: int


class Kill(Struct, frozen=True, array_like=True, tag="kill"):
    """Worker to nursery: end that runner and all that it started, whatever it does."""

    number: int


class Begun(Struct, frozen=True, array_like=True, tag="begun"):
    """Nursery to worker."""

    number: int
    pid: int


class Ended(Struct, frozen=True, array_like=True, tag="ended"):
    """Nursery to worker: it is gone, and so is its process."""

    number: int
    status: int
    """As `waitpid` gives it."""


Message = Order | Stop | Done | Failed
Control = Begin | Kill | Begun | Ended

_encode = msgspec.msgpack.Encoder().encode
_control: msgspec.msgpack.Decoder[Control] = msgspec.msgpack.Decoder(Control)


def framed(message: Struct) -> bytes:
    """A message as it goes over a stream."""
    data = _encode(message)
    return len(data).to_bytes(4, "big") + data


def packed(message: Struct) -> bytes:
    """A message as it goes over a link that keeps messages apart."""
    return _encode(message)


def unpacked(data: bytes) -> Control:
    """The message of a packet; raises `Broken`."""
    try:
        return _control.decode(data)
    except UNDECODABLE as error:
        raise Broken(str(error)) from error


class Reader:
    """Cuts messages out of a stream."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._buffer = bytearray()
        self._decoder = msgspec.msgpack.Decoder(Message)

    def take(self) -> list[Message]:
        """What has come, without waiting when the link does not wait; raises `Broken` at its end."""
        try:
            data = self._link.recv(1 << 16)
        except BlockingIOError:
            return []
        except OSError as error:
            raise Broken(str(error)) from error
        if not data:
            raise HungUp("it ended")
        self._buffer += data
        return self._whole()

    def _whole(self) -> list[Message]:
        found: list[Message] = []
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if length > MOST_BYTES:
                raise Broken("a frame is too large")
            if len(self._buffer) < 4 + length:
                break
            try:
                found.append(self._decoder.decode(bytes(self._buffer[4 : 4 + length])))
            except UNDECODABLE as error:
                raise Broken(str(error)) from error
            del self._buffer[: 4 + length]
        return found
