"""The page of roles says what the code has."""

from __future__ import annotations

import re
from pathlib import Path

from assaymark.model.access import GRANTS, Permission, Role

PAGE = Path(__file__).parents[3] / "docs/reference/roles.md"


def test_the_table_of_roles_is_that_of_the_code() -> None:
    text = PAGE.read_text("utf-8")
    head = re.search(r"^\| permission \| allows to \| (.*) \|$", text, re.MULTILINE)
    assert head is not None
    roles = [Role(cell.strip("` ")) for cell in head[1].split("|")]
    assert roles == list(Role)
    rows = re.findall(r"^\| `([a-z]+:[a-z]+)` \| [^|]+ \|(.*)\|$", text, re.MULTILINE)
    assert [name for name, _ in rows] == [each.value for each in Permission]
    for name, cells in rows:
        held = {role for role, cell in zip(roles, cells.split("|"), strict=True) if cell.strip() == "yes"}
        assert held == {role for role in Role if Permission(name) in GRANTS[role]}, name
