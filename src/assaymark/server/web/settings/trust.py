"""Whom this server believes: its endorsing keys, the roots of others, and what is distributed to sites. The API's own calls do the work."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.endorsement.trust import EVERYTHING, TrustRoot
from assaymark.model.access import Permission
from assaymark.server.api import trust as api
from assaymark.server.problem import invalid
from assaymark.server.web.doing import acted, call_of, number_in, status_of, words_in
from assaymark.server.web.screen import Screen, Visit
from assaymark.server.work.signers import stated_now
from assaymark.store import trust as versions
from assaymark.store.trust import Stated

_READ, _WRITE = Permission.ENDORSEMENTS_READ, Permission.TRUST_WRITE


def show_trust(visit: Visit) -> Response:
    """All of it."""
    return _trust(visit, None)


def _trust(visit: Visit, error: Exception | None) -> Response:
    call = call_of(visit)
    with visit.service.database.read() as link:
        stated, history = stated_now(link), versions.page(link, before=None, limit=20)
    return visit.page(
        "settings/trust.html",
        status=status_of(error),
        keys=api.list_endorsing_keys(call),
        stated=stated,
        history=history,
        distribution=api.get_distribution(call),
        may_write=visit.who.may(_WRITE, None),
        form=visit.form,
        error=error,
    )


def change_trust(visit: Visit) -> Response:
    """Add or take out a root, bound the age, rotate the key, publish."""
    form, call = visit.form, call_of(visit)
    with visit.service.database.read() as link:
        stated = stated_now(link)
    actions = {
        "add": lambda: api.set_trust(call, _new(Stated((*stated.roots, _root(form)), stated.max_age_days, stated.log_required), form)),
        "remove": lambda: api.set_trust(call, _without(stated, form)),
        "bounds": lambda: api.set_trust(call, _new(Stated(stated.roots, number_in(form, "max_age_days"), "log_required" in form), form)),
        "rotate": lambda: api.rotate_endorsing_key(call, api.Rotation(form.get("comment", "")[:500])),
        "publish": lambda: api.publish_trust_now(call),
    }
    if form.get("do") not in actions:
        raise invalid("nothing was chosen", "press one of the buttons")
    return acted(visit, _trust, actions[form["do"]], "/settings/trust")


def _new(stated: Stated, form: dict[str, str]) -> api.NewTrust:
    return api.NewTrust(stated.roots, stated.max_age_days, stated.log_required, form.get("comment", "")[:500])


def _without(stated: Stated, form: dict[str, str]) -> api.NewTrust:
    left = tuple(root for root in stated.roots if root.name != form.get("root", ""))
    if len(left) == len(stated.roots):
        raise invalid(f"{form.get('root', '')[:80]!r} is no root", "it may have been taken out by somebody else")
    return _new(Stated(left, stated.max_age_days, stated.log_required), form)


def _root(form: dict[str, str]) -> TrustRoot:
    end = "-----END PUBLIC KEY-----"
    pems = tuple(part.strip() + "\n" + end + "\n" for part in form.get("keys", "").replace("\r\n", "\n").split(end) if part.strip())
    return TrustRoot(
        form.get("name", "").strip(), form.get("verifier", "").strip(), pems, number_in(form, "threshold"),
        words_in(form, "resources") or EVERYTHING, words_in(form, "environments") or EVERYTHING,
    )  # fmt: skip


SCREENS = [
    Screen("GET", "/settings/trust", show_trust, _READ),
    Screen("POST", "/settings/trust", change_trust, _WRITE),
]
