"""Identity providers, and which roles their groups give."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.model.access import Permission, Role
from assaymark.server.api import providers as api
from assaymark.server.problem import invalid
from assaymark.server.web.doing import acted, call_of, chosen, number_in, number_or_none, status_of, words_in
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import teams

_MOST_TEAMS = 200


def show_providers(visit: Visit) -> Response:
    """All of them."""
    return _providers(visit, None)


def _providers(visit: Visit, error: Exception | None) -> Response:
    call = call_of(visit)
    listed = api.list_providers(call)
    with visit.service.database.read() as link:
        all_teams = teams.page(link, after="", limit=_MOST_TEAMS, teams=None)
    return visit.page(
        "settings/providers.html",
        status=status_of(error),
        rows=listed,
        mappings=api.list_mappings(call, limit=200).items,
        trusts=api.list_trusts(call),
        roles=[each.value for each in Role],
        teams=all_teams,
        names={team.id: team.name for team in all_teams},
        form=visit.form,
        error=error,
    )


def change_providers(visit: Visit) -> Response:
    """Set or remove one; map a group or end a mapping; end a trust."""
    form, call = visit.form, call_of(visit)
    actions = {
        "set": lambda: api.put_provider(call, form.get("name", ""), _document(form)),
        "remove": lambda: api.remove_provider(call, form.get("name", "")),
        "map": lambda: api.map_group(
            call,
            api.NewMapping(
                form.get("provider", ""), form.get("group", "").strip(), chosen(form, "role", Role), number_or_none(form, "team")
            ),
        ),
        "unmap": lambda: api.unmap_group(call, number_in(form, "mapping")),
        "distrust": lambda: api.remove_trust(call, form.get("name", "")),
    }
    if form.get("do") not in actions:
        raise invalid("nothing was chosen", "press one of the buttons")
    return acted(visit, _providers, actions[form["do"]], "/settings/providers")


def _document(form: dict[str, str]) -> api.ProviderDocument:
    return api.ProviderDocument(
        title=form.get("title", "").strip() or form.get("name", ""),
        issuer=form.get("issuer", "").strip(),
        client_id=form.get("client_id", "").strip(),
        client_secret=form.get("client_secret") or None,
        scopes=words_in(form, "scopes") or ("openid", "profile", "email"),
        groups_claim=form.get("groups_claim", "groups").strip(),
        domains=words_in(form, "domains"),
    )


SCREENS = [
    Screen("GET", "/settings/providers", show_providers, Permission.SETTINGS_WRITE),
    Screen("POST", "/settings/providers", change_providers, Permission.SETTINGS_WRITE),
]
