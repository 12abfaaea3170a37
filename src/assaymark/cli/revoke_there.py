"""Asks a server to revoke, by its API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

from assaymark.cli.server_there import plain, server_at


class Order(Struct, frozen=True):
    """What is asked of which server."""

    server: str
    token_file: Path | None
    aim: dict[str, str]


def preview(order: Order) -> str:
    """What it would hit, in words.

    Raises:
        UsageError: when the server refuses.
        EngineMissing: when it does not answer.
    """
    found = _asked(order, "/revocations/preview", order.aim)
    more = " or more" if found.get("at_least") else ""
    lines = [
        f"it would withdraw {found.get('endorsements', 0)}{more} endorsements" + (" (revoked already)" if found.get("revoked") else "")
    ]
    for each in found.get("first", ()):
        about, other = each["endorsement"], each.get("instead")
        lines.append(f"  {about['resource']} {about['head']}, use instead: {other['head'] if other else 'nothing is approved'}")
    lines += [f"  runs in {each['name']} ({each['team_name'] or 'no team'}): {each['digest']}" for each in found.get("runs", ())]
    return "\n".join(plain(line) for line in lines)


def revoke(order: Order, reason: str) -> str:
    """Revoke it; what became of that, in words.

    Raises:
        UsageError: when the server refuses.
        EngineMissing: when it does not answer.
    """
    made = _asked(order, "/revocations", {**order.aim, "reason": reason})
    more = ", more follow" if made.get("more") else ""
    again = "" if made.get("fresh") else " (it was revoked before)"
    return f"revocation {made.get('id')}: {made.get('withdrawn', 0)} endorsements withdrawn{more}{again}"


def _asked(order: Order, path: str, body: dict[str, str]) -> dict[str, Any]:
    there = server_at(order.server, order.token_file)
    return there.asked("POST", path, {name: text for name, text in body.items() if text})
