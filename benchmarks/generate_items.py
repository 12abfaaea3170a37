"""Items over a fleet that `generate_fleet.py` made: what stands open is of some, and each has a past.

    python benchmarks/generate_items.py <database URL> [--changes 5]

Written past the application, by statements over whole tables; the guards of the database hold all the same. An item is here a family in a
subject. Reproducible: no dice.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import sqlalchemy as sa

from assaymark.store.database import Database
from assaymark.store.tables import item, item_span, item_subject, person

PEOPLE = 200
_KEY = "'{of}:' || o.subject || ':rule:' || o.rule_class || ':' || o.kind"
_COUNTED = "o.kind <> 'unchecked' AND s.kind NOT IN ('merge-request', 'tag', 'release')"
_ITEMS = """
INSERT INTO item (key, cause, title, kind, layer, rule_class, team, repository, created_at)
SELECT {key}, 'rule', o.rule_class || ' in ' || min(s.name), o.kind, min(o.layer), o.rule_class, o.team, s.repository, min(o.since)
FROM occurrence o JOIN subject s ON s.id = o.subject WHERE {stands} AND {counted}
GROUP BY o.subject, o.rule_class, o.kind, o.team, s.repository ON CONFLICT DO NOTHING
"""
_LINKS = """
UPDATE occurrence SET item = (SELECT i.id FROM item i WHERE i.key = 'open:' || occurrence.subject || ':rule:' || occurrence.rule_class
    || ':' || occurrence.kind)
WHERE closed_at IS NULL AND kind <> 'unchecked'
"""
_SUMS = """
INSERT INTO item_subject (item, subject, findings, severity)
SELECT item, subject, count(*), max(severity) FROM occurrence WHERE closed_at IS NULL AND waived = 0 AND item IS NOT NULL
GROUP BY item, subject
"""
_SPANS = """
INSERT INTO item_span (item, team, person, owner, owner_source, cause, kind, layer, severity, findings, subjects, opened_at, closed_at,
    continued, since)
SELECT i.id, i.team, i.person, i.owner, i.owner_source, i.cause, i.kind, i.layer, i.id % 5, 1 + (i.id + {step}) % 90, 1,
    i.created_at + {step} * 86400000000, {end}, {continued}, i.created_at
FROM item i WHERE i.key LIKE '{of}:%'
"""


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database")
    parser.add_argument("--changes", type=int, default=5, help="of each item, before it is as it is")
    given = parser.parse_args()
    database = Database(given.database)
    began = time.monotonic()
    with database.write() as link:
        rows = [{"login": f"person{number}", "handle": b"%d" % number, "created_at": 0} for number in range(PEOPLE)]
        link.execute(person.insert(), rows)
        for of, stands in (("open", "o.closed_at IS NULL"), ("over", "o.closed_at IS NOT NULL AND o.continued = 0")):
            link.execute(sa.text(_ITEMS.format(key=_KEY.format(of=of), stands=stands, counted=_COUNTED)))
        owned = {"person": item.c.id % PEOPLE + 1, "owner_source": "codeowners"}
        link.execute(item.update().where(item.c.id % 3 != 0).values(owned))
        link.execute(sa.text(_LINKS))
        link.execute(sa.text(_SUMS))
        for of in ("open", "over"):
            for step in range(given.changes):
                end = f"i.created_at + {step + 1} * 86400000000"
                link.execute(sa.text(_SPANS.format(of=of, step=step, end=end, continued=1)))
            end = "NULL" if of == "open" else f"i.created_at + {given.changes + 30} * 86400000000"
            link.execute(sa.text(_SPANS.format(of=of, step=given.changes, end=end, continued=0)))
    with database.read() as link:
        tables = (item, item_span, item_subject)
        counts = {each.name: link.execute(sa.select(sa.func.count()).select_from(each)).scalar() for each in tables}
    print(f"{counts} in {time.monotonic() - began:.0f} s")
    database.close()


if __name__ == "__main__":
    main()
