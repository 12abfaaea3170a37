"""What is open to the whole internet: security groups, network lists and firewalls of three clouds, as one kind of opening."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from assaymark.checks.infrastructure.iac.operators import as_number
from assaymark.checks.infrastructure.iac.resources import Found, Resource, View
from assaymark.checks.infrastructure.iac.values import MISSING, Missing, Unknown, Value, truth
from assaymark.checks.infrastructure.iac.world import Hit, Row, Rule, World, missing, rows, texts

ADVICE = {
    "ingress-everything": "Open the ports that are needed, to the networks that need them.",
    "ingress-ssh": "Let in the networks of your people, or use a session manager or bastion.",
    "ingress-rdp": "Let in the networks of your people, or use a gateway.",
    "ingress-sensitive": "Let in the security group of the application instead of a network.",
    "ingress-port": "Let in the networks that need it; put what is meant for everybody behind a load balancer.",
    "egress-everything": "Name the ports and networks that are needed.",
    "network-acl-everything": "Name the ports that are needed.",
    "network-acl-open": "Name the networks that need it.",
    "db-security-group-open": "Name the networks that need it.",
    "azure-ingress-everything": "Open the ports that are needed, to the networks that need them.",
    "azure-ingress-ssh": "Let in the networks of your people, or use Bastion.",
    "azure-ingress-rdp": "Let in the networks of your people, or use Bastion.",
    "azure-ingress-sensitive": "Name the networks that need it.",
    "azure-ingress-port": "Name the networks that need it.",
    "azure-egress-everything": "Name the networks that are needed.",
    "azure-firewall-open": "Name the addresses that need it.",
    "azure-firewall-all-azure": "Take the rule 0.0.0.0 to 0.0.0.0 out, and use a private endpoint.",
    "google-ingress-everything": "Open the ports that are needed, to the networks that need them.",
    "google-ingress-ssh": "Let in the range of IAP (35.235.240.0/20) or of your people.",
    "google-ingress-rdp": "Let in the range of IAP (35.235.240.0/20) or of your people.",
    "google-ingress-sensitive": "Name the networks that need it.",
    "google-ingress-port": "Name the networks that need it, or put a load balancer before it.",
    "google-egress-everything": "Name the networks that are needed.",
    "default-network": "Make a network of your own with `aws_vpc` and leave the default one empty.",
    "network-no-log": "Add an `aws_flow_log` for the network.",
}
_SENSITIVE = frozenset(
    # administration, data bases, caches, queues, directories, container engines
    [
        20,
        21,
        23,
        135,
        137,
        138,
        139,
        389,
        445,
        512,
        513,
        514,
        636,
        873,
        1433,
        1434,
        1521,
        2049,
        2181,
        2375,
        2376,
        2379,
        2380,
        3306,
        4333,
        5432,
        5500,
        5601,
        5672,
        5900,
        5984,
        5985,
        5986,
        6379,
        6443,
        7000,
        7001,
        8020,
        8086,
        8888,
        9042,
        9090,
        9092,
        9160,
        9200,
        9300,
        10250,
        10255,
        11211,
        11214,
        11215,
        15672,
        27017,
        27018,
        27019,
        50070,
    ]
)
_WEB = frozenset((80, 443))
_MOST_PORTS = 65_535
_FREE = 1024
"""Ports from here on are given to whoever begins a connection."""
_UDP = ("udp", "17")
_VERY_MANY = 1 << 24
"""Addresses of a range that nobody knows all of."""


class Opening(Struct, frozen=True):
    """Ports of a protocol for everybody."""

    resource: Resource
    attribute: str
    place: Found
    ports: Sequence[tuple[int, int]]
    """Ranges, both ends inclusive; empty for every port."""
    tcp: bool = True
    """Whether connections are possible, and not only single packets."""


def _everybody(value: Value) -> bool:
    return any(each in {"0.0.0.0/0", "::/0", "0000:0000:0000:0000:0000:0000:0000:0000/0", "0::0/0"} for each in texts(value))


def _judged(opening: Opening, cloud: str) -> Hit | None:
    """The worst thing that stands open."""
    ports = opening.ports
    if not ports or any(low <= 1 and high >= _MOST_PORTS for low, high in ports):
        rule, what = "ingress-everything", "all ports"
    elif opening.tcp and any(low <= 22 <= high for low, high in ports):
        rule, what = "ingress-ssh", "port 22"
    elif opening.tcp and any(low <= 3389 <= high for low, high in ports):
        rule, what = "ingress-rdp", "port 3389"
    else:
        low, high = ports[0]
        hit = next((port for port in sorted(_SENSITIVE) for first, last in ports if first <= port <= last), None)
        if hit is None and all(first == last and first in _WEB for first, last in ports):
            return None
        rule, what = (
            ("ingress-port", f"port {low}" if low == high else f"ports {low} to {high}")
            if hit is None
            else ("ingress-sensitive", f"port {hit}")
        )
    return Hit(f"{cloud}{rule}", opening.resource, opening.attribute, opening.place, what)


def _range(low: Value, high: Value) -> tuple[int, int] | None:
    first, last = as_number(low), as_number(high)
    if first is None:
        return None
    return int(first), int(first if last is None else last)


# --- AWS --------------------------------------------------------------------------------------------------------------


def _of_rule(resource: Resource, row: Row, attributes: Sequence[str], prefix: str) -> Iterator[Opening]:
    """One rule of a security group, whose networks stand in one of some attributes."""
    for attribute in attributes:
        if not _everybody(row.get(attribute)):
            continue
        protocol = row.get("protocol")
        protocol = row.get("ip_protocol") if isinstance(protocol, Missing) else protocol
        ports = _ports(protocol, row.get("from_port"), row.get("to_port"))
        if ports is not None:
            yield Opening(resource, f"{prefix}{attribute}", row.place(attribute), ports, tcp=protocol not in _UDP)


def _ports(protocol: Value, low: Value, high: Value) -> Sequence[tuple[int, int]] | None:
    """Ranges; empty for all, None when they are not known or there are none (ICMP)."""
    if protocol in ("-1", -1, "all") or (isinstance(low, Missing) and isinstance(protocol, Missing)):
        return ()
    if type(protocol) is str and protocol.lower() in {"icmp", "icmpv6", "1", "58"}:
        return None
    if type(low) is Unknown or type(high) is Unknown:
        return None
    found = _range(low, high)
    if found == (0, 0) and type(protocol) is not str:
        return ()
    return None if found is None else (found,)


def security_groups(world: World) -> Iterator[Hit]:
    for _, opening in _aws(world, "ingress"):
        hit = _judged(opening, "")
        if hit is not None:
            yield hit
    for resource, opening in _aws(world, "egress"):
        if not opening.ports:
            yield Hit("egress-everything", resource, opening.attribute, opening.place, "all ports")


def _aws(world: World, way: str) -> Iterator[tuple[Resource, Opening]]:
    both = ("cidr_blocks", "ipv6_cidr_blocks")
    for resource in world.resources("aws_security_group", "aws_default_security_group"):
        for row in rows(resource.view, way):
            yield from ((resource, opening) for opening in _of_rule(resource, row, both, f"{way}."))
    for resource in world.resources("aws_security_group_rule"):
        if resource.view.get("type") == way:
            yield from ((resource, opening) for opening in _of_rule(resource, Row(resource.view), both, ""))
    for resource in world.resources(f"aws_vpc_security_group_{way}_rule"):
        yield from ((resource, opening) for opening in _of_rule(resource, Row(resource.view), ("cidr_ipv4", "cidr_ipv6"), ""))


def network_lists(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_network_acl_rule"):
        if truth(resource.view.get("egress")) is not True and resource.view.get("rule_action") == "allow":
            yield from _of_list(resource, Row(resource.view), "")
    for resource in world.resources("aws_network_acl", "aws_default_network_acl"):
        for row in rows(resource.view, "ingress"):
            if row.get("action") == "allow":
                yield from _of_list(resource, row, "ingress.")


def _of_list(resource: Resource, row: Row, prefix: str) -> Iterator[Hit]:
    for attribute in ("cidr_block", "ipv6_cidr_block"):
        if not _everybody(row.get(attribute)):
            continue
        ports = _range(row.get("from_port"), row.get("to_port"))
        if row.get("protocol") in ("-1", -1, "all"):
            yield Hit("network-acl-everything", resource, f"{prefix}{attribute}", row.place(attribute), "all ports")
        elif ports is None or (ports[0] < _FREE and not (ports[0] == ports[1] and ports[0] in _WEB)):
            # Lists know no connections: answers come back to the free ports, so these have to be open.
            yield Hit("network-acl-open", resource, f"{prefix}{attribute}", row.place(attribute))
        elif ports[0] <= 3389 <= ports[1] and ports[1] - ports[0] < 100:
            yield Hit("network-acl-open", resource, f"{prefix}{attribute}", row.place(attribute), "port 3389")


def database_groups(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_db_security_group", "aws_redshift_security_group"):
        for place in resource.find("ingress.cidr"):
            if _everybody(place.value):
                yield Hit("db-security-group-open", resource, "ingress.cidr", place)


# --- Azure ------------------------------------------------------------------------------------------------------------

_AZURE_ANY = ("*", "0.0.0.0", "0.0.0.0/0", "::/0", "/0", "<nw>/0", "internet", "any")  # noqa: S104  none to listen on


def _anywhere(row: Row, *names: str) -> str:
    """The attribute that lets everybody in."""
    for name in names:
        if any(each.lower() in _AZURE_ANY for each in texts(row.get(name))):
            return name
    return ""


def azure_groups(world: World) -> Iterator[Hit]:
    for resource, row, prefix in _azure_rules(world):
        if str(row.get("access")).lower() != "allow":
            continue
        ports = _azure_ports(row)
        protocol = str(row.get("protocol")).lower()
        if str(row.get("direction")).lower() == "outbound":
            name = _anywhere(row, "destination_address_prefix", "destination_address_prefixes")
            if name and ports == ():
                yield Hit("azure-egress-everything", resource, prefix + name, row.place(name), "all ports")
            continue
        name = _anywhere(row, "source_address_prefix", "source_address_prefixes")
        if name and ports is not None and protocol != "icmp":
            hit = _judged(Opening(resource, prefix + name, row.place(name), ports, tcp=protocol not in _UDP), "azure-")
            if hit is not None:
                yield hit


def _azure_rules(world: World) -> Iterator[tuple[Resource, Row, str]]:
    for resource in world.resources("azurerm_network_security_rule"):
        yield resource, Row(resource.view), ""
    for resource in world.resources("azurerm_network_security_group"):
        for row in rows(resource.view, "security_rule"):
            yield resource, row, "security_rule."


def _azure_ports(row: Row) -> Sequence[tuple[int, int]] | None:
    one, several = row.get("destination_port_range"), row.get("destination_port_ranges")
    if isinstance(one, Missing) and isinstance(several, Missing):
        return ()
    given = [*texts(one), *texts(several)] + ([str(one)] if type(one) is int else [])
    if "*" in given or "0-65535" in given:
        return ()
    found = [_range(*(each.split("-", 1) if "-" in each else (each, each))) for each in given]
    known = [each for each in found if each is not None]
    return known or None


def azure_firewalls(world: World) -> Iterator[Hit]:
    kinds = [kind for kind in world.module.declared.by_type if kind.startswith("azurerm_") and kind.endswith("_firewall_rule")]
    for resource in world.resources(*kinds):
        names = ("start_ip_address", "end_ip_address") if resource.view.attribute("start_ip_address") else ("start_ip", "end_ip")
        first, last = (resource.view.get(name) for name in names)
        if first == "0.0.0.0" and last == "0.0.0.0":  # noqa: S104  an address in a rule, not one to listen on
            yield Hit("azure-firewall-all-azure", resource, names[0], resource.find(names[0])[0])
        elif _number(last) - _number(first) >= _VERY_MANY:
            yield Hit("azure-firewall-open", resource, names[0], resource.find(names[0])[0], f"{first} to {last}")


def _number(address: Value) -> int:
    """An IPv4 address as a number; 0 for what is none."""
    parts = address.split(".") if type(address) is str else []
    if len(parts) != 4 or not all(part.isdigit() and len(part) < 4 for part in parts):
        return 0
    return sum(int(part) << shift for part, shift in zip(parts, (24, 16, 8, 0), strict=True))


# --- Google Cloud -----------------------------------------------------------------------------------------------------


def google_firewalls(world: World) -> Iterator[Hit]:
    for resource in world.resources("google_compute_firewall"):
        view = resource.view
        way = view.get("direction")
        if truth(view.get("disabled")) or not view.blocks("allow"):
            continue
        if way == "EGRESS":
            if _everybody(view.get("destination_ranges")) and any(row.get("protocol") == "all" for row in view.blocks("allow")):
                yield Hit("google-egress-everything", resource, "destination_ranges", resource.find("destination_ranges")[0], "all ports")
            continue
        tagged = view.attribute("source_tags") or view.attribute("source_service_accounts")
        if isinstance(way, Unknown) or not (_everybody(view.get("source_ranges")) or (view.get("source_ranges") is MISSING and not tagged)):
            continue
        for row in view.blocks("allow"):
            ports = _google_ports(row)
            if ports is None:
                continue
            tcp = str(row.get("protocol")).lower() not in _UDP
            hit = _judged(Opening(resource, "source_ranges", resource.find("source_ranges")[0], ports, tcp=tcp), "google-")
            if hit is not None:
                yield hit


def _google_ports(row: View) -> Sequence[tuple[int, int]] | None:
    protocol = row.get("protocol")
    if type(protocol) is not str or protocol.lower() in {"icmp", "esp", "ah", "sctp", "ipip"}:
        return None
    given = row.get("ports")
    if isinstance(given, Missing):
        return ()
    found: list[tuple[int, int]] = []
    for each in given if type(given) is list else ():
        parts = str(each).split("-", 1) if type(each) in (str, int) else []
        known = _range(parts[0], parts[-1]) if parts else None
        found += [known] if known is not None else []
    return found or None


def default_network(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_default_vpc"):
        yield Hit("default-network", resource, "", missing(resource.view), "`aws_default_vpc`")


def flow_logs(world: World) -> Iterator[Hit]:
    for resource in world.resources("aws_vpc"):
        if not world.tree.refers("aws_flow_log", "vpc_id", resource.address) and not world.tree.vague("aws_flow_log", "vpc_id"):
            yield Hit("network-no-log", resource, "aws_flow_log", missing(resource.view), "no `aws_flow_log` names it")


RULES: tuple[Rule, ...] = (
    security_groups,
    network_lists,
    database_groups,
    azure_groups,
    azure_firewalls,
    google_firewalls,
    default_network,
    flow_logs,
)
