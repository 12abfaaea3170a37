"""From another platform to this one."""

from __future__ import annotations

from assaymark.model.access import Permission
from assaymark.server.api.route import Call, Router, Upload
from assaymark.server.migrations.carrying import Migrated
from assaymark.server.migrations.exports import Origin, migrate
from assaymark.server.people.accounts import By
from assaymark.server.people.session import origin as origin_of

router = Router("migrations")
MOST_BYTES = 64 << 20


@router.add("POST", "/migrations/{origin}", Permission.SETTINGS_WRITE, most_bytes=MOST_BYTES)
def migrate_from(call: Call, body: Upload, origin: Origin, dry: bool = True) -> Migrated:
    """Take over teams, subjects, findings, decisions and notes from exports of DefectDojo or Dependency-Track: one file, or several as zip.

    With `dry`, which is the default, nothing is written: the answer says what would become what, and what would be lost. Sent again,
    nothing is made twice. Larger exports: `assay migrate` on the server's machine.
    """
    call.need(Permission.SETTINGS_WRITE, None)
    by = By(call.who.login, call.who.person, origin_of(call.request))
    return migrate(call.service, origin, [body.data], by, dry=dry)
