"""Who may call each operation, as data: an entry per operation of the API. `test_server_matrix` calls all of them as everybody.

A new operation needs an entry in `ENTRIES`: what it asks beyond its permission (`Access`), and how to call it so that it works for whoever
may, on something of the team `own` that the stage makes for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.deployment.phoenix.generation import Generation, Step, Why
from assaymark.deployment.phoenix.generation import State as Deployed
from assaymark.endorsement import bundle, dsse, keys
from assaymark.endorsement.approval import stamp
from assaymark.endorsement.keys import new_key
from assaymark.endorsement.log.entry import Entry as LogEntry
from assaymark.endorsement.log.entry import EntryType
from assaymark.jobs.job import Job
from assaymark.model.access import Grant, PersonId, Role, TeamId
from assaymark.model.assessment import SECOND, Instant, SubjectId
from assaymark.model.decision import DecisionKind, Scope
from assaymark.server.people import credential
from assaymark.server.people import provider as settings
from assaymark.server.people.provider import Provider, Trust
from assaymark.server.service import Service
from assaymark.store import comments, decisions, drifts, federation, log, passkeys, people, sessions, teams, tokens, trail, wishes
from assaymark.store import tables as t
from assaymark.store.comments import About, Thing, Words
from assaymark.store.passkeys import PasskeyRow
from assaymark.store.people import Draft
from assaymark.store.sessions import SessionRow
from assaymark.store.teams import MappingRow
from assaymark.store.tokens import TokenRow
from assaymark.store.trail import Action

MARK = "only-of-team-own"
"""Stands in the name of every thing that the stage makes for team `own`."""
DAY = 86400 * SECOND


class Access(StrEnum):
    """What an operation asks of its caller."""

    PUBLIC = "public"
    """Nothing."""
    KNOWN = "known"
    """To be somebody."""
    SESSION = "session"
    """To have come with a session: a token may not."""
    ACCOUNTS = "accounts"
    """Of somebody else's account: people:write everywhere. (One's own is one's own by a session; its tests are with its module.)"""
    SOMEWHERE = "somewhere"
    """The operation's permission in any team; what it answers is narrowed, which its own tests look at."""
    LISTED = "listed"
    """The same; and what is of a team is in the answer only for those who have the permission in that team."""
    TEAM = "team"
    """The operation's permission in the team of the thing."""
    EVERYWHERE = "everywhere"
    """The operation's permission where it holds for all teams and for what has none."""


class Asked(Struct, frozen=True):
    """How to call an operation."""

    path: Mapping[str, Any] = {}
    query: Mapping[str, Any] = {}
    body: Any = None


class Stage:
    """Makes what operations are called on."""

    def __init__(self, service: Service, own: TeamId, other: TeamId) -> None:
        self.service, self.own, self.other = service, own, other
        self._numbers = itertools.count(1)

    def write(self, table: sa.Table, **values: Any) -> int:
        with self.service.database.write() as connection:
            return int(connection.execute(table.insert().returning(table.c.id), values).scalar_one())

    def name(self) -> str:
        return f"{MARK}-{next(self._numbers)}"

    @property
    def now(self) -> Instant:
        return self.service.now()

    def victim(self) -> PersonId:
        """Somebody else, with a role in the team."""
        with self.service.database.write() as connection:
            made = people.add(connection, Draft(self.name()), at=self.now)
            assert made is not None
            teams.give(connection, made, Grant(Role.VIEWER, self.own), source="local", at=self.now)
        return made

    def membership(self) -> int:
        with self.service.database.read() as connection:
            return teams.memberships_of(connection, self.victim())[0].id

    def session(self) -> int:
        row = SessionRow(0, self.victim(), "password", "", "", self.now, self.now, Instant(self.now + DAY), None)
        with self.service.database.write() as connection:
            return sessions.start(connection, credential.hashed(self.name()), row)

    def token(self) -> int:
        row = TokenRow(0, self.victim(), "t", "", frozenset(), None, self.now, Instant(self.now + DAY), None, None)
        with self.service.database.write() as connection:
            return tokens.add(connection, credential.hashed(self.name()), row)

    def passkey(self) -> int:
        row = PasskeyRow(0, self.victim(), self.name().encode(), b"", 0, "k", self.now, None)
        with self.service.database.write() as connection:
            made = passkeys.add(connection, row)
        assert made is not None
        return made

    def identity(self) -> int:
        person = self.victim()
        with self.service.database.write() as connection:
            federation.link(connection, person, "https://issuer.test", self.name(), at=self.now)
            return federation.of_person(connection, person)[0].id

    def provider(self) -> str:
        value = Provider("T", "https://issuer.test", "c")
        with self.service.database.write() as connection:
            settings.put_provider(connection, "idp", value, at=self.now)
        return "idp"

    def mapping(self) -> int:
        self.provider()
        with self.service.database.write() as connection:
            row = MappingRow(0, "https://issuer.test", self.name(), self.own, Role.VIEWER)
            return teams.map_group(connection, row, at=self.now)

    def trust(self) -> str:
        value = Trust("https://issuer.test", "a", {"sub": "x"}, self.victim(), ())
        with self.service.database.write() as connection:
            settings.put_trust(connection, "ci", value, at=self.now)
        return "ci"

    def job(self) -> int:
        with self.service.database.write() as connection:
            made = self.service.queue.put(connection, Job("probe", {}))
        assert made is not None
        return int(made)

    def schedule(self) -> str:
        name = self.name()
        self.write(t.metadata.tables["schedule"], name=name, kind="probe", due_at=self.now, every_seconds=3600)
        return name

    def connection(self) -> int:
        return self.write(t.connection, kind="gitlab", name=self.name(), team=self.own, created_at=self.now, web_url="https://forge.test")

    def channel(self) -> int:
        made = {"kind": "webhook", "name": self.name(), "team": self.own, "host": "hooks.test", "state": "active"}
        return self.write(t.subscription, **made, created_at=self.now)

    def message(self) -> tuple[int, int]:
        """Of a channel, sent: (channel, message)."""
        told: dict[str, Any] = {"kind": "verdict.changed", "at": self.now, "team": self.own, "title": self.name(), "path": "/"}
        channel, happening = self.channel(), self.write(t.happening, **told)
        made: dict[str, Any] = {"subscription": channel, "happening": happening, "state": "sent", "created_at": self.now}
        return channel, self.write(t.channel_message, **made, uid=self.name(), due_at=self.now)

    def repository(self) -> int:
        name = self.name()
        return self.write(t.repository, name=name, clone_url=f"https://forge.test/{name}.git", team=self.own, created_at=self.now)

    def subject(self) -> int:
        name = self.name()
        return self.write(t.subject, kind="branch", key=name, name=name, team=self.own, created_at=self.now, repository=self.repository())

    def assessment(self, state: str = "queued") -> int:
        made: dict[str, Any] = {"subject": self.subject(), "team": self.own, "trigger": "push", "queued_at": self.now, "state": state}
        return self.write(t.assessment, **made, actor=MARK)

    def occurrence(self) -> tuple[int, int]:
        """Of a finding: (finding, occurrence)."""
        name = self.name()
        shared: dict[str, Any] = {"kind": "code", "layer": "application", "rule_class": "c", "rule": "r"}
        finding = self.write(t.finding, **shared, fingerprint=name, title=name, core="[]", first_seen_at=self.now)
        place: dict[str, Any] = {"severity": 3, "confidence": 2, "path": name, "message": name, "opened_at": self.now}
        if "since" in t.occurrence.c:
            place["since"] = self.now
        return finding, self.write(t.occurrence, **shared, **place, finding=finding, subject=self.subject(), team=self.own)

    def item(self) -> int:
        """Open, over nothing."""
        name = self.name()
        shared: dict[str, Any] = {"kind": "code", "cause": "rule", "layer": "application", "team": self.own}
        number = self.write(t.item, **shared, key=name, title=name, rule_class="c", created_at=self.now)
        self.write(
            t.item_span, **shared, item=number, owner_source="team", severity=3, findings=1, subjects=1, opened_at=self.now, since=self.now
        )
        return number

    def comment(self) -> tuple[int, int]:
        """Somebody's, on a subject: (subject, comment)."""
        number = self.subject()
        words = Words(Thing(About.SUBJECT, number), self.own, self.victim(), MARK)
        with self.service.database.write() as connection:
            return number, comments.say(connection, words, self.now)

    def policy(self) -> str:
        """A version that was proposed and is not in force."""
        name = self.name()
        document = _policy(name)
        self.write(
            t.policy_version, name=name, version="1.0.0", digest=f"sha256:{name}", document=document, author="ana", created_at=self.now
        )
        return name

    def policy_source(self) -> int:
        return self.write(t.policy_source, repository=self.repository(), path="policies", created_at=self.now)

    def simulation(self) -> int:
        return self.write(
            t.policy_simulation, at=self.now, actor="ana", policies="[]", proposed="{}", state="waiting", most=10, counts="{}"
        )

    def report_link(self, secret: str = "") -> int:
        values = {"hash": credential.hashed(secret or self.name()), "hint": "h", "name": self.name(), "team": self.own}
        return self.write(t.report_link, **values, person=self.victim(), created_at=self.now)

    def report(self, state: str = "open", secret: str = "") -> int:
        values = {"hash": credential.hashed(secret or self.name()), "what": MARK, "team": self.own, "link": self.report_link()}
        return self.write(t.report, **values, state=state, at=self.now, changed_at=self.now)

    def gate(self) -> int:
        """Of the team."""
        values: dict[str, Any] = {"environment": "production", "namespaces": "[]", "exempt": "[]", "home": "assaymark", "team": self.own}
        return self.write(t.admission_gate, **values, name=self.name(), token=self.name(), created_at=self.now, changed_at=self.now)

    def pair(self) -> tuple[int, str]:
        """Of the team, in an environment of its own: (environment, its name); its component is called like it."""
        name = self.name()
        shared: dict[str, Any] = {"team": self.own, "created_at": self.now}
        number = self.write(t.environment, key=f"t{self.own}:{name}", name=name, **shared)
        pair = self.write(t.deployed_pair, environment=number, component=name, **shared)
        assert pair == number, "nothing else makes any"
        return number, name

    def generation(self) -> tuple[int, str]:
        """Of the pair, live, with one step that was told."""
        pair, name = self.pair()
        digest = "sha256:" + "c" * 64
        found = Generation(1, Deployed.LIVE, digest, name, "", Why.DEPLOY, MARK, self.now, self.now, live_since=self.now)
        row: dict[str, Any] = {"pair": pair, "number": 1, "state": "live", "digest": digest, "image": name, "why": "deploy", "actor": MARK}
        facts = msgspec.json.encode(found).decode()
        self.write(t.generation, **row, facts=facts, began_at=self.now, live_at=self.now)
        step = msgspec.json.encode(Step(1, self.now, 1, Deployed.WANTED, MARK, digest, name)).decode()
        told: dict[str, Any] = {"pair": pair, "number": 1, "generation": 1, "state": "wanted", "step": step, "told_by": MARK}
        self.write(t.generation_step, **told, at=self.now, told_at=self.now)
        return pair, name

    def drift(self) -> int:
        pair, name = self.generation()
        texts = {"key": name, "place": name, "what": name, "kind": "content", "expected": "", "observed": "", "action": "replace"}
        told: dict[str, Any] = {"pair": pair, "generation": 1, "weight": 3, "times": 1, "told_by": MARK}
        return self.write(t.drift, **texts, **told, first_at=self.now, last_at=self.now)

    def ignored(self) -> int:
        number = self.drift()
        with self.service.database.write() as connection:
            drifts.ignore(connection, number, Instant(self.now + DAY), (MARK, "a test"), self.now)
        return number

    def promotion(self) -> int:
        """Somebody else's, that waits for two."""
        pair, name = self.pair()
        texts = {"digest": "sha256:" + "c" * 64, "image": name, "asked_by": "somebody"}
        return self.write(t.promotion, **texts, pair=pair, asked_at=self.now, people=2)

    def issued(self) -> int:
        """A report of the team; its files are one."""
        blob = str(self.service.blobs.put(MARK.encode()))
        files = dict.fromkeys(("html", "pdf", "figures", "envelope"), blob)
        return self.write(t.issued_report, issued_at=self.now, as_of=self.now, team=self.own, keyid="SHA256:x", **files)

    def issued_link(self) -> tuple[int, int]:
        """(report, link)."""
        report = self.issued()
        row = {"hash": self.name(), "report": report, "created_at": self.now, "expires_at": self.now + DAY}
        return report, self.write(t.issued_report_link, **row)

    def endorsement(self) -> int:
        """Of something of the team; signed by nobody who is believed."""
        private, _ = keys.new_key("ed25519")
        envelope = dsse.sign("application/vnd.in-toto+json", b"{}", keys.private_key(private))
        texts = dict.fromkeys(("head", "resource", "verifier", "engine", "rules", "policy", "verdict"), self.name())
        row: dict[str, Any] = {**texts, **dict.fromkeys(("levels", "environments", "approved_by"), "[]"), "kind": "branch"}
        row |= {"digest": f"sha256:{self.name()}", "bundle": self.service.blobs.put(bundle.written(envelope)), "team": self.own}
        row |= {"assessment": self.assessment(), "subject": self.subject(), "made_at": self.now, "verified_at": self.now}
        made = self.write(t.endorsement, **row, expires_at=self.now + DAY)
        with self.service.database.write() as connection:
            connection.execute(t.endorsed_digest.insert(), {"digest": f"sha256:{made:064x}", "endorsement": made})
        return made

    def evidence(self) -> str:
        """A statement of the team about something."""
        blob = str(self.service.blobs.put(self.name().encode()))
        texts = {"digest": blob, "predicate": "p", "name": self.name(), "subject_digest": "sha256:00", "brought_by": "job"}
        self.write(t.evidence, **texts, team=self.own, at=self.now)
        return blob

    def endorsement_request(self) -> int:
        """Somebody else asks."""
        texts = {"resource": self.name(), "head": "h", "asked_by": "somebody", "authors": "[]"}
        return self.write(t.endorsement_request, **texts, assessment=self.assessment("pass"), team=self.own, asked_at=self.now, people=2)

    def decision(self) -> int:
        """About a thing of the team, by somebody else."""
        number = self.subject()
        scope = Scope(rule="r", subject=SubjectId(number))
        until = decisions.day_of(self.now + 30 * DAY)
        draft = decisions.Draft(DecisionKind.WAIVE, scope, MARK, MARK, until, decisions.By(MARK), self.own)
        with self.service.database.write() as connection:
            made = decisions.add(connection, draft, self.now)
        assert made is not None
        return made

    def request(self) -> int:
        """For a decision, of somebody else."""
        finding, _ = self.occurrence()
        scope = Scope(finding=MARK, subject=SubjectId(self.subject()))
        until = decisions.day_of(self.now + 30 * DAY)
        wish = wishes.Wish(DecisionKind.WAIVE, scope, MARK, until, decisions.By(MARK), self.own, finding)
        with self.service.database.write() as connection:
            return wishes.add(connection, wish, self.now)

    def revocation(self) -> int:
        """Of something of the team."""
        return self.write(
            t.revocation, target="subject", name=f"sha256:{next(self._numbers):064x}", reason=MARK, at=self.now, actor="ana", team=self.own
        )

    def component(self) -> int:
        """Of the catalogue, which is everybody's."""
        name = self.name()
        shared: dict[str, Any] = {"kind": "source-module", "name": name, "called": name, "version": f"gitTree:{name}", "version_key": b""}
        return self.write(t.known_component, **shared, first_at=self.now, ends_at=self.now)

    def waiver_request(self) -> int:
        """For a component, of somebody else."""
        scope = Scope(
            rule="approved-components/not-endorsed", package="pkg:npm/left-pad", version=self.name(), subject=SubjectId(self.subject())
        )
        until = decisions.day_of(self.now + 30 * DAY)
        wish = wishes.Wish(DecisionKind.WAIVE, scope, MARK, until, decisions.By(MARK), self.own)
        with self.service.database.write() as connection:
            return wishes.add(connection, wish, self.now)

    def waiver(self) -> Asked:
        asked = {
            "purl": "pkg:npm/left-pad@1.3.0",
            "rule": "not-endorsed",
            "reason": "not yet",
            "until": self.soon,
            "subject": self.subject(),
        }
        return Asked(body=asked)

    def away(self) -> dict[str, str]:
        return {"until": stamp(Instant(self.now + DAY)), "reason": "a test"}

    @property
    def soon(self) -> str:
        """A last day."""
        return decisions.day_of(self.now + 30 * DAY).isoformat()

    def wish(self) -> Asked:
        finding, _ = self.occurrence()
        body = {"kind": "waive", "reason": "not now", "until": self.soon, "subject": self.subject()}
        return Asked({"finding": finding}, body=body)

    def triage(self) -> Any:
        _, row = self.occurrence()
        return {"kind": "waive", "reason": "not now", "until": self.soon, "name": self.name(), "ids": [row]}

    def event(self) -> None:
        """An entry of the trail."""
        action = Action(self.now, "somebody", "thing.done", "success", object=MARK, team=self.own)
        with self.service.database.write() as connection:
            trail.record(connection, action)

    def logged(self) -> int:
        """An entry of the transparency log; gives its number."""
        made = LogEntry(EntryType.ENDORSE, self.now, MARK, ("sha256:" + "a" * 64,), "sha256:" + "b" * 64)
        with self.service.database.write() as connection:
            return log.append(connection, [made], team=self.own)[0]

    def logged_place(self) -> str:
        return f"000.p/{self.logged() % 255 + 1}"

    def logged_endorsement(self) -> str:
        self.logged()
        return "sha256:" + "b" * 64


def plain(_stage: Stage) -> Asked:
    return Asked()


class Entry(Struct, frozen=True):
    """Who may call an operation, and how it is called."""

    access: Access
    how: Callable[[Stage], Asked] = plain
    ok: tuple[int, ...] = ()
    """Answers to whoever may; without them the operation's own status."""


def on(**made: Callable[[Stage], Any]) -> Callable[[Stage], Asked]:
    """With parts of the path that are made for the call."""
    return lambda stage: Asked({name: make(stage) for name, make in made.items()})


def listed(make: Callable[[Stage], Any], **query: str) -> Callable[[Stage], Asked]:
    """A list, after something of the team was made that belongs into it."""

    def asked(stage: Stage) -> Asked:
        make(stage)
        return Asked(query=query)

    return asked


def _body(make: Callable[[Stage], Any]) -> Callable[[Stage], Asked]:
    return lambda stage: Asked(body=make(stage))


def _policy(name: str) -> str:
    """A document."""
    return f"kind: Policy\nmetadata: {{name: {name}, version: 1.0.0}}\nfloor: {{fail_on: high}}\n"


_PROVIDER = {"title": "T", "issuer": "https://127.0.0.1", "client_id": "c"}

_VEX = {
    "@context": "https://openvex.dev/ns/v0.2.0", "author": "a", "timestamp": "2026-01-01T00:00:00Z",
    "statements": [{"vulnerability": {"name": "CVE-2026-1"}, "products": [], "status": "under_investigation"}],
}  # fmt: skip
_PROJECTS = [{"uuid": "a", "name": "shop", "version": "1"}]
_SARIF = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "probe"}}, "results": []}]}


def _behind_a_figure(stage: Stage) -> Asked:
    stage.occurrence()
    return Asked({"figure": "open"}, {"severity": "high"})


ENTRIES: dict[str, Entry] = {
    # the server
    "health": Entry(Access.PUBLIC),
    "describe_api": Entry(Access.PUBLIC),
    "me": Entry(Access.KNOWN),
    "describe_server": Entry(Access.EVERYWHERE),
    # work
    "list_jobs": Entry(Access.EVERYWHERE),
    "get_job": Entry(Access.EVERYWHERE, on(job=Stage.job)),
    "replay_job": Entry(Access.EVERYWHERE, on(job=Stage.job), (409,)),
    "cancel_job": Entry(Access.EVERYWHERE, on(job=Stage.job)),
    "list_schedules": Entry(Access.EVERYWHERE),
    "change_schedule": Entry(Access.EVERYWHERE, lambda stage: Asked({"schedule": stage.schedule()}, body={"every_seconds": 7200})),
    "run_schedule": Entry(Access.EVERYWHERE, on(schedule=Stage.schedule)),
    # coming in and going out
    "set_up": Entry(Access.PUBLIC, _body(lambda _: {"secret": "x", "login": "eve", "password": "many words unheard"}), (400,)),
    "begin_session": Entry(Access.PUBLIC, _body(lambda _: {"login": "<nobody>", "password": "many words unheard"}), (401, 429)),
    "list_sessions": Entry(Access.ACCOUNTS, lambda stage: Asked(query={"person": stage.victim()})),
    "end_present_session": Entry(Access.SESSION),
    "end_session": Entry(Access.ACCOUNTS, on(session=Stage.session)),
    "end_sessions": Entry(Access.ACCOUNTS, lambda stage: Asked(query={"person": stage.victim()})),
    "change_password": Entry(Access.SESSION, _body(lambda _: {"present": "", "new": "short"}), (400,)),
    "look_at_link": Entry(Access.PUBLIC, _body(lambda _: {"secret": "x"}), (400,)),
    "redeem_link": Entry(Access.PUBLIC, _body(lambda _: {"secret": "x", "password": "many words unheard"}), (400,)),
    "list_passkeys": Entry(Access.ACCOUNTS, lambda stage: Asked(query={"person": stage.victim()})),
    "ask_for_passkey": Entry(Access.SESSION),
    "add_passkey": Entry(Access.SESSION, _body(lambda _: {"credential": {}}), (400,)),
    "remove_passkey": Entry(Access.ACCOUNTS, on(number=Stage.passkey)),
    "ask_for_sign_in": Entry(Access.PUBLIC),
    "begin_session_by_passkey": Entry(Access.PUBLIC, _body(lambda _: {"credential": {}}), (400,)),
    "ways_in": Entry(Access.PUBLIC),
    "start_oidc": Entry(Access.PUBLIC, on(name=lambda _: "none"), (404,)),
    "finish_oidc": Entry(Access.PUBLIC, on(name=lambda _: "none"), (404,)),
    "link_identity": Entry(Access.SESSION, on(name=lambda _: "none"), (404,)),
    "list_identities": Entry(Access.ACCOUNTS, lambda stage: Asked(query={"person": stage.victim()})),
    "unlink_identity": Entry(Access.ACCOUNTS, on(identity=Stage.identity)),
    # identity providers and workloads
    "list_providers": Entry(Access.EVERYWHERE),
    "put_provider": Entry(Access.EVERYWHERE, lambda _: Asked({"name": "idp"}, body=_PROVIDER), (400,)),  # its address is private
    "remove_provider": Entry(Access.EVERYWHERE, on(name=Stage.provider)),
    "list_mappings": Entry(Access.LISTED, listed(Stage.mapping)),
    "map_group": Entry(
        Access.TEAM, _body(lambda stage: {"provider": stage.provider(), "group": stage.name(), "role": "viewer", "team": stage.own})
    ),
    "unmap_group": Entry(Access.TEAM, on(mapping=Stage.mapping)),
    "list_trusts": Entry(Access.EVERYWHERE),
    "put_trust": Entry(
        Access.EVERYWHERE,
        lambda stage: Asked(
            {"name": "ci"},
            body={
                "issuer": "https://issuer.test",
                "audience": "a",
                "conditions": {"sub": "x"},
                "person": stage.victim(),
                "scopes": ["subjects:read"],
            },
        ),
    ),
    "remove_trust": Entry(Access.EVERYWHERE, on(name=Stage.trust)),
    # people
    "list_people": Entry(Access.LISTED, listed(Stage.victim, begins=f"{MARK}-")),
    "get_person": Entry(Access.TEAM, on(person=Stage.victim)),
    "create_person": Entry(Access.TEAM, _body(lambda stage: {"login": stage.name(), "roles": [{"role": "viewer", "team": stage.own}]})),
    "change_person": Entry(Access.ACCOUNTS, lambda stage: Asked({"person": stage.victim()}, body={"name": "N"})),
    "disable_person": Entry(Access.EVERYWHERE, on(person=Stage.victim)),
    "enable_person": Entry(Access.EVERYWHERE, on(person=Stage.victim)),
    "reset_person": Entry(Access.EVERYWHERE, on(person=Stage.victim)),
    "end_everything": Entry(Access.EVERYWHERE, on(person=Stage.victim)),
    # teams
    "list_teams": Entry(Access.KNOWN),
    "create_team": Entry(Access.EVERYWHERE, _body(lambda stage: {"slug": stage.name()})),
    "get_team": Entry(Access.KNOWN, on(team=lambda stage: stage.own), (200, 404)),
    "rename_team": Entry(Access.TEAM, lambda stage: Asked({"team": stage.own}, body={"name": "N"})),
    "list_memberships": Entry(Access.TEAM, lambda stage: Asked(query={"team": stage.own})),
    "give_role": Entry(Access.TEAM, lambda stage: Asked(body={"login": _login(stage), "role": "developer", "team": stage.own})),
    "take_role": Entry(Access.TEAM, on(membership=Stage.membership)),
    # tokens
    "list_tokens": Entry(Access.ACCOUNTS, lambda stage: Asked(query={"person": stage.victim()})),
    "create_token": Entry(Access.SESSION, _body(lambda _: {"name": "t", "scopes": [], "days": 1}), (400,)),
    "revoke_token": Entry(Access.ACCOUNTS, on(token=Stage.token)),
    "exchange_token": Entry(Access.PUBLIC, _body(lambda _: {"token": "x"}), (401,)),
    # where things come from, subjects, assessments, findings
    "list_subjects": Entry(Access.LISTED, listed(Stage.subject)),
    "get_subject": Entry(Access.TEAM, on(subject=Stage.subject)),
    "list_posture": Entry(Access.TEAM, on(subject=Stage.subject)),
    "get_posture": Entry(Access.SOMEWHERE),
    "list_assessments": Entry(Access.LISTED, listed(Stage.assessment)),
    "get_assessment": Entry(Access.TEAM, on(assessment=Stage.assessment)),
    "list_deciders": Entry(Access.TEAM, on(assessment=Stage.assessment)),
    "get_verdict": Entry(Access.TEAM, on(assessment=Stage.assessment), (202, 404, 409)),
    "watch_assessment": Entry(Access.TEAM, on(assessment=Stage.assessment)),
    "watch_all": Entry(Access.SOMEWHERE),
    "list_findings": Entry(Access.LISTED, listed(Stage.occurrence)),
    "get_facets": Entry(Access.SOMEWHERE),
    "export_findings": Entry(Access.LISTED, listed(Stage.occurrence, format="json")),
    "get_finding": Entry(Access.TEAM, on(finding=lambda stage: stage.occurrence()[0])),
    "list_places": Entry(Access.TEAM, on(finding=lambda stage: stage.occurrence()[0])),
    "list_history": Entry(Access.TEAM, on(finding=lambda stage: stage.occurrence()[0])),
    "get_code": Entry(Access.TEAM, on(occurrence=lambda stage: stage.occurrence()[1]), (404,)),
    "list_items": Entry(Access.LISTED, listed(Stage.item)),
    "get_item": Entry(Access.TEAM, on(item=Stage.item)),
    "list_item_findings": Entry(Access.TEAM, on(item=Stage.item)),
    "assign_item": Entry(Access.TEAM, lambda stage: Asked({"item": stage.item()}, body={"name": stage.name()})),
    "get_occurrence": Entry(Access.TEAM, on(occurrence=lambda stage: stage.occurrence()[1])),
    "list_connections": Entry(Access.LISTED, listed(Stage.connection)),
    "get_connection": Entry(Access.TEAM, on(connection=Stage.connection)),
    "create_connection": Entry(
        Access.TEAM,
        _body(lambda stage: {"kind": "gitlab", "name": stage.name(), "web_url": "https://forge.test", "team": stage.own}),
    ),
    "change_connection": Entry(Access.TEAM, lambda stage: Asked({"connection": stage.connection()}, body={"name": stage.name()})),
    "rotate_secret": Entry(Access.TEAM, lambda stage: Asked({"connection": stage.connection()}, body={})),
    "end_connection": Entry(Access.TEAM, on(connection=Stage.connection)),
    "try_connection": Entry(Access.TEAM, on(connection=Stage.connection)),
    "list_deliveries": Entry(Access.TEAM, on(connection=Stage.connection)),
    "discover_repositories": Entry(Access.TEAM, on(connection=Stage.connection), (202, 409)),
    "list_channels": Entry(Access.LISTED, listed(Stage.channel)),
    "get_channel": Entry(Access.TEAM, on(channel=Stage.channel)),
    "create_channel": Entry(
        Access.TEAM,
        _body(lambda stage: {"kind": "slack", "name": stage.name(), "address": "https://1.1.1.1/hook", "team": stage.own}),
    ),
    "change_channel": Entry(Access.TEAM, lambda stage: Asked({"channel": stage.channel()}, body={"name": stage.name()})),
    "rotate_channel_secret": Entry(Access.TEAM, lambda stage: Asked({"channel": stage.channel()}, body={})),
    "end_channel": Entry(Access.TEAM, on(channel=Stage.channel)),
    "test_channel": Entry(Access.TEAM, on(channel=Stage.channel)),
    "list_messages": Entry(Access.TEAM, on(channel=Stage.channel)),
    "replay_message": Entry(Access.TEAM, lambda stage: Asked(dict(zip(("channel", "message"), stage.message(), strict=True)))),
    "get_digest": Entry(Access.SESSION, ok=(404,)),
    "put_digest": Entry(Access.SESSION, _body(lambda _: {"every": "day"}), (409,)),
    "end_digest": Entry(Access.SESSION, ok=(404,)),
    "send_digest": Entry(Access.SESSION, ok=(404,)),
    "list_happenings": Entry(Access.LISTED, listed(Stage.message)),
    "list_repositories": Entry(Access.LISTED, listed(Stage.repository)),
    "get_repository": Entry(Access.TEAM, on(repository=Stage.repository)),
    "register_repository": Entry(
        Access.TEAM,
        _body(lambda stage: {"name": stage.name(), "clone_url": f"https://forge.test/{stage.name()}.git", "team": stage.own}),
    ),
    "change_repository": Entry(Access.TEAM, lambda stage: Asked({"repository": stage.repository()}, body={"default_branch": "main"})),
    "stop_repository": Entry(Access.TEAM, on(repository=Stage.repository)),
    "poll_repository": Entry(Access.TEAM, on(repository=Stage.repository)),
    "ask_verdict": Entry(Access.TEAM, _body(lambda stage: {"repository": stage.repository(), "head": "a" * 40, "wait": 0}), (200, 202)),
    "send_triggers": Entry(
        Access.TEAM,
        _body(lambda stage: {"repository": stage.repository(), "changes": [{"ref": "refs/heads/main", "after": "a" * 40}]}),
    ),
    "cancel_assessment": Entry(Access.TEAM, on(assessment=Stage.assessment)),
    "record_deployment": Entry(
        Access.TEAM, _body(lambda stage: {"environment": stage.name(), "digest": "sha256:" + "a" * 64, "team": stage.own})
    ),
    "migrate_from": Entry(Access.EVERYWHERE, lambda _: Asked({"origin": "dependency-track"}, body=_PROJECTS)),
    "import_findings": Entry(Access.TEAM, lambda stage: Asked({"subject": stage.subject()}, body=_SARIF)),
    "get_bill": Entry(Access.TEAM, on(subject=Stage.subject)),
    "list_components": Entry(Access.SOMEWHERE, lambda _: Asked(query={"name": "nothing"})),
    "list_affected": Entry(Access.SOMEWHERE, lambda _: Asked(query={"id": "CVE-2026-1"}), (200, 409)),
    "get_advisories": Entry(Access.SOMEWHERE),
    "list_snapshots": Entry(Access.SOMEWHERE),
    "list_hits": Entry(Access.SOMEWHERE, ok=(200, 404)),
    "update_now": Entry(Access.EVERYWHERE),
    "set_sources": Entry(Access.EVERYWHERE, _body(lambda _: {"origin": "folder", "ecosystems": ["PyPI"]})),
    "find": Entry(Access.SOMEWHERE, _body(lambda _: {"text": "nothing"})),
    "get_trace": Entry(Access.SOMEWHERE, lambda _: Asked(query={"q": "nothing"})),
    # the queue of each reader
    "get_my_queue": Entry(Access.SOMEWHERE),
    "get_security_queue": Entry(Access.SOMEWHERE),
    "get_standing": Entry(Access.SOMEWHERE),
    "get_alarms": Entry(Access.LISTED, listed(Stage.drift)),
    # saved views: what is shared with whom has tests of its own
    "list_views": Entry(Access.SOMEWHERE),
    "save_view": Entry(Access.SOMEWHERE, _body(lambda _: {"name": "v", "query": "severity=high"})),
    "remove_view": Entry(Access.SOMEWHERE, lambda _: Asked({"view": 10**6}), (404,)),
    # comments; the one that is there is somebody else's
    "list_comments": Entry(Access.TEAM, lambda stage: Asked(query={"on": "subject", "number": stage.comment()[0]})),
    "say": Entry(Access.TEAM, _body(lambda stage: {"on": "subject", "number": stage.subject(), "text": "a word"})),
    "say_again": Entry(Access.TEAM, lambda stage: Asked({"comment": stage.comment()[1]}, body={"text": "a word"}), (403,)),
    "take_back": Entry(Access.TEAM, lambda stage: Asked({"comment": stage.comment()[1]}), (403,)),
    "list_versions": Entry(Access.TEAM, on(comment=lambda stage: stage.comment()[1])),
    "preview_comment": Entry(Access.SOMEWHERE, _body(lambda _: {"text": "a word"})),
    "list_mentions": Entry(Access.KNOWN),
    # policies of the organisation
    "list_policies": Entry(Access.SOMEWHERE, listed(Stage.policy)),
    "get_policy_schema": Entry(Access.KNOWN),
    "check_policy": Entry(Access.SOMEWHERE, _body(lambda stage: {"document": _policy(stage.name())})),
    "propose_policy": Entry(Access.EVERYWHERE, _body(lambda stage: {"document": _policy(stage.name())})),
    "get_policy": Entry(Access.SOMEWHERE, on(name=Stage.policy)),
    "list_policy_versions": Entry(Access.SOMEWHERE, on(name=Stage.policy)),
    "get_policy_version": Entry(Access.SOMEWHERE, on(name=Stage.policy, version=lambda _: "1.0.0")),
    "list_policy_events": Entry(Access.SOMEWHERE, on(name=Stage.policy)),
    "review_policy": Entry(
        Access.EVERYWHERE, lambda stage: Asked({"name": stage.policy(), "version": "1.0.0"}, body={"approves": False, "comment": "no"})
    ),
    "activate_policy": Entry(Access.EVERYWHERE, lambda stage: Asked({"name": stage.policy(), "version": "1.0.0"}, body={})),
    "propose_retirement": Entry(Access.EVERYWHERE, lambda stage: Asked({"name": stage.policy()}, body={}), (409,)),
    "retire_policy": Entry(
        Access.EVERYWHERE,
        lambda stage: Asked({"name": stage.policy()}, body={"exception": {"reason": "r", "owner": "o", "until": "2100-01-01"}}),
        (409,),
    ),
    "list_policy_sources": Entry(Access.SOMEWHERE),
    "add_policy_source": Entry(Access.EVERYWHERE, _body(lambda stage: {"repository": stage.repository()})),
    "read_policy_source": Entry(Access.EVERYWHERE, on(source=Stage.policy_source)),
    "end_policy_source": Entry(Access.EVERYWHERE, on(source=Stage.policy_source)),
    "simulate_policies": Entry(Access.EVERYWHERE, _body(lambda stage: {"documents": [_policy(stage.name())]})),
    "list_policy_simulations": Entry(Access.EVERYWHERE),
    "get_policy_simulation": Entry(Access.EVERYWHERE, on(simulation=Stage.simulation)),
    "list_policy_outcomes": Entry(Access.EVERYWHERE, on(simulation=Stage.simulation)),
    "cancel_policy_simulation": Entry(Access.EVERYWHERE, on(simulation=Stage.simulation)),
    "list_approvals": Entry(Access.TEAM, on(assessment=Stage.assessment)),
    "approve_head": Entry(
        Access.TEAM, lambda stage: Asked({"assessment": stage.assessment()}, body={"rule": "base/big", "reason": "seen"}), (409,)
    ),
    # gates of clusters
    "list_gates": Entry(Access.LISTED, listed(Stage.gate)),
    "get_gate": Entry(Access.TEAM, on(gate=Stage.gate)),
    "create_gate": Entry(Access.TEAM, _body(lambda stage: {"name": stage.name(), "team": stage.own})),
    "change_gate": Entry(Access.TEAM, lambda stage: Asked({"gate": stage.gate()}, body={"enforces": True})),
    "renew_gate_token": Entry(Access.TEAM, on(gate=Stage.gate)),
    "end_gate": Entry(Access.TEAM, on(gate=Stage.gate)),
    "list_refusals": Entry(Access.TEAM, on(gate=Stage.gate)),
    "forget_refusals": Entry(Access.TEAM, on(gate=Stage.gate)),
    "get_gate_manifest": Entry(Access.TEAM, lambda stage: Asked({"gate": stage.gate(), "form": "policy"})),
    # figures, what was promised, reports
    "get_figures": Entry(Access.SOMEWHERE),
    "get_trend": Entry(Access.SOMEWHERE),
    "list_behind_figure": Entry(Access.LISTED, _behind_a_figure),
    "get_promises": Entry(Access.SOMEWHERE),
    "list_issued": Entry(Access.SOMEWHERE),
    "issue_report": Entry(Access.TEAM, _body(lambda stage: {"team": stage.own})),
    "get_issued": Entry(Access.TEAM, on(report=Stage.issued)),
    "get_issued_file": Entry(Access.TEAM, lambda stage: Asked({"report": stage.issued(), "form": "html"})),
    "list_signing_keys": Entry(Access.PUBLIC),
    "share_issued": Entry(Access.TEAM, lambda stage: Asked({"report": stage.issued()}, body={"days": 3})),
    "list_issued_links": Entry(Access.TEAM, on(report=Stage.issued)),
    "end_issued_link": Entry(Access.TEAM, lambda stage: Asked(dict(zip(("report", "link"), stage.issued_link(), strict=True)))),
    "get_issue_schedule": Entry(Access.EVERYWHERE),
    "put_issue_schedule": Entry(Access.EVERYWHERE, _body(lambda _: {"every": "week"})),
    "put_promise": Entry(Access.TEAM, _body(lambda stage: {"team": stage.own, "terms": {"critical": 3}})),
    # reports
    "look_at_report_link": Entry(Access.PUBLIC, on(link=lambda _: "x"), (404,)),
    "report_something": Entry(Access.PUBLIC, lambda _: Asked({"link": "x"}, body={"what": "w"}), (404,)),
    "follow_report": Entry(Access.PUBLIC, on(secret=lambda _: "x"), (404,)),
    "answer_as_reporter": Entry(Access.PUBLIC, lambda _: Asked({"secret": "x"}, body={"text": "w"}), (404,)),
    "list_report_links": Entry(Access.LISTED, listed(Stage.report_link)),
    "create_report_link": Entry(Access.TEAM, _body(lambda stage: {"name": "n", "team": stage.own})),
    "revoke_report_link": Entry(Access.TEAM, on(number=Stage.report_link)),
    "list_reports": Entry(Access.LISTED, listed(Stage.report)),
    "get_report": Entry(Access.TEAM, on(report=Stage.report)),
    "answer_report": Entry(Access.TEAM, lambda stage: Asked({"report": stage.report()}, body={"text": "w"})),
    "accept_report": Entry(
        Access.TEAM,
        lambda stage: Asked(
            {"report": stage.report()}, body={"subject": stage.subject(), "rule_class": "data-exposure", "severity": "low"}
        ),
    ),
    "merge_report": Entry(Access.TEAM, lambda stage: Asked({"report": stage.report()}, body={"finding": stage.occurrence()[0]})),
    "refuse_report": Entry(Access.TEAM, lambda stage: Asked({"report": stage.report()}, body={"text": "w"})),
    "repair_report": Entry(Access.TEAM, on(report=lambda stage: stage.report("accepted"))),
    "get_trust": Entry(Access.SOMEWHERE),
    "set_trust": Entry(Access.EVERYWHERE, _body(lambda _: {})),
    "list_trust_versions": Entry(Access.SOMEWHERE),
    "list_endorsing_keys": Entry(Access.SOMEWHERE),
    "rotate_endorsing_key": Entry(Access.EVERYWHERE, _body(lambda _: {})),
    "get_distribution": Entry(Access.SOMEWHERE),
    "publish_trust_now": Entry(Access.EVERYWHERE),
    "draft_trust_root": Entry(Access.EVERYWHERE, _body(lambda _: {"keys": [new_key()[1].pem]})),
    "adopt_trust_root": Entry(Access.EVERYWHERE, _body(lambda _: {}), (409,)),
    "get_trust_archive": Entry(Access.PUBLIC),
    "get_security_txt": Entry(Access.EVERYWHERE, ok=(200, 404)),
    "put_security_txt": Entry(Access.EVERYWHERE, _body(lambda _: {"contact": ["mailto:security@example.org"]})),
    "remove_security_txt": Entry(Access.EVERYWHERE),
    # decisions and requests
    "list_decisions": Entry(Access.LISTED, listed(Stage.decision)),
    "get_debt": Entry(Access.SOMEWHERE),
    "get_decision": Entry(Access.TEAM, on(decision=Stage.decision)),
    "list_covered": Entry(Access.TEAM, on(decision=Stage.decision)),
    "make_decision": Entry(
        Access.TEAM,
        _body(lambda s: {"kind": "waive", "scope": {"rule": "r", "subject": s.subject()}, "reason": "not now", "until": s.soon}),
    ),
    "approve_decision": Entry(Access.TEAM, on(decision=Stage.decision)),
    "withdraw_decision": Entry(Access.TEAM, lambda stage: Asked({"decision": stage.decision()}, body={"reason": "over"})),
    "renew_decision": Entry(
        Access.TEAM, lambda stage: Asked({"decision": stage.decision()}, body={"reason": "still so", "until": stage.soon})
    ),
    "decide_many": Entry(Access.SOMEWHERE, _body(Stage.triage)),
    "list_approved": Entry(Access.SOMEWHERE),
    "get_approved": Entry(Access.SOMEWHERE, on(component=Stage.component)),
    "list_approved_users": Entry(Access.SOMEWHERE, on(component=Stage.component)),
    "check_approved": Entry(Access.SOMEWHERE, _body(lambda _: {"components": [{"purl": "pkg:npm/left-pad@1.3.0"}]})),
    "try_approved": Entry(Access.SOMEWHERE),
    "get_approved_rules": Entry(Access.SOMEWHERE),
    "set_approved_rules": Entry(Access.EVERYWHERE, _body(lambda _: {"min_age_days": 3})),
    "ask_for_waiver": Entry(Access.TEAM, Stage.waiver),
    "answer_waiver": Entry(Access.TEAM, lambda stage: Asked({"request": stage.waiver_request()}, body={"grant": False, "reason": "no"})),
    "ask_for_decision": Entry(Access.TEAM, Stage.wish),
    "list_requests": Entry(Access.LISTED, listed(Stage.request)),
    "get_request": Entry(Access.TEAM, on(request=Stage.request)),
    "answer_request": Entry(Access.TEAM, lambda stage: Asked({"request": stage.request()}, body={"grant": False, "reason": "no"})),
    "take_vex": Entry(Access.TEAM, lambda stage: Asked(query={"subject": stage.subject()}, body=_VEX)),
    "get_subject_vex": Entry(Access.TEAM, on(subject=Stage.subject)),
    "get_repository_vex": Entry(Access.TEAM, on(repository=Stage.repository)),
    # endorsements, evidence, who approves
    "list_endorsements": Entry(Access.LISTED, listed(Stage.endorsement)),
    "list_attestations": Entry(Access.SOMEWHERE, on(subject_digest=lambda _: "sha256:" + "0" * 64)),
    "list_attestations_in_bulk": Entry(Access.SOMEWHERE, _body(lambda _: {"subject_digests": ["sha256:" + "0" * 64]})),
    "get_endorsement": Entry(Access.TEAM, on(name=Stage.endorsement)),
    "get_bundle": Entry(Access.TEAM, on(name=Stage.endorsement)),
    "verify_digest": Entry(Access.SOMEWHERE, lambda _: Asked(query={"digest": "sha256:" + "0" * 64})),
    "ask_endorsement": Entry(Access.TEAM, _body(lambda stage: {"assessment": stage.assessment()}), (409,)),
    "get_endorsing_terms": Entry(Access.TEAM, lambda stage: Asked(query={"team": stage.own})),
    "put_endorsing_terms": Entry(Access.TEAM, lambda stage: Asked(query={"team": stage.own}, body={"days": 3})),
    "remove_endorsing_terms": Entry(Access.TEAM, lambda stage: Asked(query={"team": stage.own})),
    "bring_evidence": Entry(
        Access.TEAM, lambda stage: Asked(query={"team": stage.own, "digest": "sha256:" + "0" * 64}, body={"spdxVersion": "SPDX-2.3"})
    ),
    "list_evidence": Entry(Access.LISTED, listed(Stage.evidence)),
    "get_evidence": Entry(Access.TEAM, on(digest=Stage.evidence)),
    "list_endorsement_requests": Entry(Access.LISTED, listed(Stage.endorsement_request)),
    "get_endorsement_request": Entry(Access.TEAM, on(request=Stage.endorsement_request)),
    "approve_endorsement": Entry(Access.TEAM, lambda stage: Asked({"request": stage.endorsement_request()}, body={})),
    "decline_endorsement": Entry(Access.TEAM, lambda stage: Asked({"request": stage.endorsement_request()}, body={"reason": "no"})),
    # phoenix upgrades
    "tell_steps": Entry(Access.TEAM, _body(lambda stage: {"environment": stage.name(), "component": "c", "steps": [], "team": stage.own})),
    "tell_drifts": Entry(
        Access.TEAM,
        _body(lambda stage: dict.fromkeys(("environment", "component"), stage.generation()[1]) | {"drifts": [], "team": stage.own}),
    ),
    "list_wanted": Entry(Access.LISTED, listed(Stage.generation)),
    "list_pairs": Entry(Access.LISTED, listed(Stage.pair)),
    "list_generations": Entry(Access.TEAM, on(pair=lambda stage: stage.generation()[0])),
    "list_steps": Entry(Access.TEAM, on(pair=lambda stage: stage.generation()[0])),
    "list_environments": Entry(Access.LISTED, listed(Stage.pair)),
    "get_environment": Entry(Access.TEAM, on(environment=lambda stage: stage.pair()[0])),
    "list_running_pairs": Entry(Access.TEAM, on(environment=lambda stage: stage.generation()[0])),
    "put_environment_terms": Entry(Access.TEAM, lambda stage: Asked({"environment": stage.pair()[0]}, body={"people": 1})),
    "promote": Entry(
        Access.TEAM,
        _body(lambda stage: {"environment": stage.name(), "component": "c", "digest": "sha256:" + "c" * 64, "team": stage.own}),
        (409,),
    ),
    "list_promotions": Entry(Access.LISTED, listed(Stage.promotion)),
    "get_promotion": Entry(Access.TEAM, on(promotion=Stage.promotion)),
    "agree_to_promotion": Entry(Access.TEAM, lambda stage: Asked({"promotion": stage.promotion()}, body={})),
    "decline_promotion": Entry(Access.TEAM, lambda stage: Asked({"promotion": stage.promotion()}, body={"reason": "no"})),
    "list_drifts": Entry(Access.LISTED, listed(Stage.drift)),
    "get_drift": Entry(Access.TEAM, on(drift=Stage.drift)),
    "ignore_drift": Entry(Access.TEAM, lambda stage: Asked({"drift": stage.drift()}, body=stage.away())),
    "look_at_drift_again": Entry(Access.TEAM, on(drift=Stage.ignored)),
    # what was taken back
    "list_revocations": Entry(Access.LISTED, listed(Stage.revocation)),
    "list_doubts": Entry(Access.SOMEWHERE),
    "get_revocation": Entry(Access.TEAM, on(revocation=Stage.revocation)),
    "list_withdrawn": Entry(Access.TEAM, on(revocation=Stage.revocation)),
    "list_running": Entry(Access.TEAM, on(revocation=Stage.revocation)),
    "preview_revocation": Entry(Access.SOMEWHERE, _body(lambda _: {"target": "policy", "name": f"sha256:{'1' * 64}"})),
    "make_revocation": Entry(
        Access.EVERYWHERE, _body(lambda _: {"target": "policy", "name": f"sha256:{'1' * 64}", "reason": "it let too much through"})
    ),
    # the trail
    "list_trail": Entry(Access.LISTED, listed(Stage.event)),
    "verify_trail": Entry(Access.EVERYWHERE),
    # the transparency log
    "get_log": Entry(Access.PUBLIC),
    "get_log_checkpoint": Entry(Access.PUBLIC),
    "get_log_tile": Entry(Access.PUBLIC, lambda stage: Asked({"level": "0", "place": stage.logged_place()})),
    "get_log_bundle": Entry(Access.EVERYWHERE, lambda stage: Asked({"place": stage.logged_place()})),
    "list_log_entries": Entry(Access.LISTED, listed(Stage.logged)),
    "get_log_entry": Entry(Access.TEAM, on(seq=Stage.logged)),
    "get_log_proof": Entry(Access.TEAM, on(seq=Stage.logged)),
    "get_endorsement_proof": Entry(Access.TEAM, on(endorsement=Stage.logged_endorsement)),
    "list_log_pins": Entry(Access.EVERYWHERE),
    "pin_log_now": Entry(Access.EVERYWHERE, ok=(400,)),
}


def _login(stage: Stage) -> str:
    person = stage.victim()
    with stage.service.database.read() as connection:
        found = people.get(connection, person)
    assert found is not None
    return found.login
