"""The installation itself: how it is set up, how fresh its advisories are, and what security.txt says."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.server.api import advisories, meta, security_txt
from assaymark.server.problem import invalid
from assaymark.server.web.doing import acted, call_of, number_in, status_of, words_in
from assaymark.server.web.screen import Screen, Visit
from assaymark.server.work.advisories import Sources


def show_server(visit: Visit) -> Response:
    """All of it."""
    return _server(visit, None)


def _server(visit: Visit, error: Exception | None) -> Response:
    call = call_of(visit)
    return visit.page(
        "settings/server.html",
        status=status_of(error),
        server=meta.describe_server(call),
        advisories=advisories.get_advisories(call),
        security_txt=security_txt.kept(call),
        form=visit.form,
        error=error,
    )


def change_server(visit: Visit) -> Response:
    """Bring advisories up to date, choose their sources, set or remove security.txt."""
    form, call = visit.form, call_of(visit)
    sources = Sources(form.get("origin", "").strip(), words_in(form, "ecosystems"))
    actions = {
        "update": lambda: advisories.update_now(call),
        "sources": lambda: advisories.set_sources(call, sources),
        "security-txt": lambda: security_txt.put_security_txt(call, _security_txt(form)),
        "no-security-txt": lambda: security_txt.remove_security_txt(call),
    }
    if form.get("do") not in actions:
        raise invalid("nothing was chosen", "press one of the buttons")
    return acted(visit, _server, actions[form["do"]], "/settings/server")


def _security_txt(form: dict[str, str]) -> security_txt.SecurityTxt:
    return security_txt.SecurityTxt(
        contact=words_in(form, "contact"),
        days=number_in(form, "days"),
        policy=form.get("policy", "").strip(),
        languages=words_in(form, "languages"),
    )


SCREENS = [
    Screen("GET", "/settings/server", show_server, Permission.SETTINGS_WRITE),
    Screen("POST", "/settings/server", change_server, Permission.SETTINGS_WRITE),
]
