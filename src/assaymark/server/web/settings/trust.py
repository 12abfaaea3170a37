"""Whom this server believes: its endorsing keys, the roots of others, and what is distributed to sites. The API's own calls do the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs
from starlette.responses import Response

from assaymark.endorsement.trust import EVERYTHING, TrustRoot
from assaymark.model.access import Permission
from assaymark.server.api import trust as api
from assaymark.server.api.route import Call, Upload
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
        form=visit.form | {"keys": ""} if "PRIVATE KEY" in visit.form.get("keys", "") else visit.form,  # it was pasted by mistake
        error=error,
    )


def change_trust(visit: Visit) -> Response:
    """Add or take out a root, bound the age, rotate the key, publish, let other keys sign what is published."""
    form, call = visit.form, call_of(visit)
    actions: dict[str, Callable[[], object]] = {
        "add": lambda: api.change(call, lambda now: _said(form, now, roots=(*now.roots, _root(form)))),
        "remove": lambda: api.change(call, lambda now: _said(form, now, roots=_without(now, form))),
        "bounds": lambda: api.change(call, lambda now: _said(form, now, max_age_days=_age(form), log_required="log_required" in form)),
        "rotate": lambda: api.rotate_endorsing_key(call, api.Rotation(form.get("comment", "")[:500])),
        "publish": lambda: api.publish_trust_now(call),
        "renew": lambda: api.adopt_trust_root(call, _renewed(call)),
    }
    if form.get("do") not in actions:
        raise invalid("nothing was chosen", "press one of the buttons")
    return acted(visit, _trust, actions[form["do"]], "/settings/trust")


def _renewed(call: Call) -> Upload:
    """The next root with the same owners, naming new keys for what is published."""
    return Upload(bytes(api.draft_trust_root(call, api.NewRoot(renew_keys=True))), "application/json")


def _said(form: dict[str, str], now: Stated, **changed: Any) -> api.NewTrust:
    """What stands there now with what the form changes."""
    said = structs.replace(now, **changed)
    return api.NewTrust(said.roots, said.max_age_days, said.log_required, form.get("comment", "")[:500])


def _age(form: dict[str, str]) -> int:
    days = number_in(form, "max_age_days")
    if days > api.MOST_AGE:
        raise invalid(f"{days} days are more than {api.MOST_AGE}", "0 sets no bound")
    return days


def _without(now: Stated, form: dict[str, str]) -> tuple[TrustRoot, ...]:
    left = tuple(root for root in now.roots if root.name != form.get("root", ""))
    if len(left) == len(now.roots):
        raise invalid(f"{form.get('root', '')[:80]!r} is no root", "it may have been taken out by somebody else")
    return left


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
