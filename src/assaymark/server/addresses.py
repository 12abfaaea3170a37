"""Which addresses of the internet the server may go to, and what a host's name may look like. Pure.

Guarantees: an address counts as public only when it is, whatever form it is written in: what is embedded in IPv6 (mapped, compatible, 6to4,
Teredo, NAT64) is judged as well, and the numeric forms that only some programs understand (``0x7f.1``, ``2130706433``) are no hosts at all.
Does not resolve names.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from assaymark.errors import UsageError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")

_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by providers; also where one cloud keeps its metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's own service on a public address
        "169.254.0.0/16",  # link-local: metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "100::/64",
        "2001::/23",  # also Teredo, which wraps addresses
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "64:ff9b:1::/48",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


def host_name(text: str) -> str:
    """A host in the one form in which it is used from here on: small letters, no dot at its end, addresses canonical.

    Raises:
        UsageError: when it is neither a name nor an address.
    """
    given = text.lower().removesuffix(".")
    if given.startswith("[") and given.endswith("]"):
        return str(_literal(given[1:-1], text))
    if ":" in given:
        return str(_literal(given, text))
    labels = given.split(".")
    if _NUMBER.match(labels[-1]):
        return str(_literal(given, text))
    if not given or len(given) > 253 or not all(_LABEL.match(label) for label in labels):
        raise UsageError(
            f"{text[:100]!r} is no name of a host",
            advice="write names of other alphabets in their xn-- form, and no sign that is none of it",
        )
    return given


def literal(host: str) -> Address | None:
    """The address that a host is, None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_allowed(address: Address, private_networks: Sequence[str]) -> bool:
    """Public, or inside a network that the administrator named."""
    meant = _meant(address)
    return _is_public(meant) or any(meant in ipaddress.ip_network(text) for text in private_networks)


def _literal(text: str, shown: str) -> Address:
    try:
        return ipaddress.ip_address(text.replace("%", " "))  # no zones
    except ValueError as error:
        raise UsageError(
            f"{shown[:100]!r} is no address", why="numbers are read as addresses only in their full form", advice="write it as 192.0.2.7"
        ) from error


def _meant(address: Address) -> Address:
    """The address, or the one that it only wraps."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    wrapped = address.ipv4_mapped or address.sixtofour
    if wrapped is None and (address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)):
        wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return wrapped or address


def _is_public(address: Address) -> bool:
    if any(address.version == network.version and address in network for network in _NOT_PUBLIC):
        return False
    return isinstance(address, ipaddress.IPv4Address) or address in _GLOBAL_UNICAST
