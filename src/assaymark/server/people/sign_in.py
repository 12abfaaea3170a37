"""Sign in with a login and a password.

Guarantees: what is wrong is not told (login, password, disabled), neither in words nor in time; tries are counted before the password is
looked at, for the pair of account and address, for the address, and for the account over all addresses. Whoever signed in with this browser
before carries a device cookie and is counted by himself, so that strangers who fill an account's count lock out only strangers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress

import sqlalchemy as sa
from msgspec import Struct
from starlette.requests import Request

from assaymark.errors import UsageError
from assaymark.model.access import PersonId, Principal
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.people import accounts, cookies, password
from assaymark.server.people.accounts import By
from assaymark.server.people.cookies import Cookie
from assaymark.server.people.session import LONGEST, begin, origin
from assaymark.server.problem import ApiError
from assaymark.server.service import Service
from assaymark.store import attempts, people, sessions
from assaymark.store.attempts import Limit, Refused
from assaymark.store.people import PersonRow

_QUARTER = 900 * SECOND
_HOUR = 3600 * SECOND
OF_PAIR, OF_ADDRESS, OF_ACCOUNT, OF_DEVICE = 6, 60, 100, 10
"""Tries: of an account from an address in a quarter of an hour; from an address at all in it; of an account from everywhere in an hour; of
an account from a browser that it used before, in a quarter."""
_DEVICE_SECONDS = 180 * 86400


class SignedIn(Struct, frozen=True):
    """The answer to a sign-in; the session itself is in the cookie."""

    person: PersonId
    login: str
    session: int
    expires_at: Instant


def by_password(service: Service, request: Request, login: str, text: str) -> SignedIn:
    """Begin a session and put its cookie on the request.

    Raises:
        ApiError: 401 when it is not right, 429 when there were too many tries.
    """
    try:
        login = accounts.login_of(login)
    except UsageError:
        login = ""  # goes the whole way, as any login that is not known
    limits = _limits(service, request, login)
    counted_at = count(service, request, login, limits)
    with service.database.read() as connection:
        person = people.by_login(connection, login) if login else None
        hashed = people.password_of(connection, person.id) if person else None
    right = password.is_right(hashed, text)
    if person is None or not right or hashed is None or person.disabled_at is not None:
        raise _wrong(service, request, login, person)
    renewed = password.hash_of(text) if password.is_outdated(hashed) else None
    with service.database.write() as connection:
        if renewed is not None:
            people.set_password(connection, person.id, renewed)
        for limit in limits:
            attempts.take_back(connection, limit.bucket, counted_at)
        attempts.forgive(connection, [limit.bucket for limit in limits if limit.is_own])
        return welcome(service, connection, request, person, "password")


def change_password(service: Service, request: Request, who: Principal, *, present: str, new: str) -> None:
    """Another password for whoever knows the present one; every other session of his ends.

    Raises:
        ApiError: 401 when it is not the present one, 429 when there were too many tries.
        UsageError: when the new one may not be one.
    """
    limits = (Limit(f"change:{who.person}", OF_DEVICE, _QUARTER, is_own=True),)
    count(service, request, who.login, limits)
    password.check_rules(new, who.login)
    with service.database.read() as connection:
        hashed = people.password_of(connection, who.person)
    by = By(who.login, who.person, origin(request))
    if not password.is_right(hashed, present) and hashed is not None:
        with service.database.write() as connection:
            accounts.note(connection, by, "password.changed", who.person, at=service.now(), outcome="refused", details={"because": "wrong"})
        raise ApiError(401, "sign-in", "this is not your present password", advice="try again, or ask an administrator for a new link")
    renewed = password.hash_of(new)
    with service.database.write() as connection:
        people.set_password(connection, who.person, renewed)
        sessions.revoke_all(connection, who.person, service.now(), but=who.session)
        attempts.forgive(connection, [limit.bucket for limit in limits])
        accounts.note(connection, by, "password.changed", who.person, at=service.now())


def welcome(service: Service, connection: sa.Connection, request: Request, person: PersonRow, method: str) -> SignedIn:
    """Begin the session of somebody who proved who he is, in the transaction in which he did.

    Raises:
        ApiError: 401 when he was disabled in the meantime.
    """
    now = service.now()
    present = people.get(connection, person.id)
    if present is None or present.disabled_at is not None:
        raise wrong()
    begun = begin(service, connection, request, person.id, method)
    by = By(person.login, person.id, origin(request))
    accounts.note(connection, by, "session.begun", person.id, at=now, details={"method": method, "session": str(begun.id)})
    cookies.put(request, service.settings, Cookie.SESSION, begun.secret, seconds=LONGEST // SECOND)
    sealed = base64.urlsafe_b64encode(service.vault.seal(_device(person.login), str(now))).decode().rstrip("=")
    cookies.put(request, service.settings, Cookie.DEVICE, sealed, seconds=_DEVICE_SECONDS)
    return SignedIn(person.id, person.login, begun.id, begun.expires_at)


def count(service: Service, request: Request, login: str, limits: tuple[Limit, ...]) -> Instant:
    """Count a try; gives the moment under which it was written.

    Raises:
        ApiError: 429 when there were too many.
    """
    now = service.now()
    with service.database.write() as connection:
        refused = attempts.begin(connection, limits, now=now)
        if refused is not None and refused.is_first:
            by = By(_actor(connection, login), None, origin(request))
            because = {"because": "too many tries", "of": refused.bucket.partition(":")[0]}
            accounts.note(connection, by, "session.begun", None, at=now, outcome="refused", details=because)
    if refused is not None:
        raise _too_many(refused, now)
    return now


def wrong() -> ApiError:
    """Not right; what, is not said."""
    return ApiError(401, "sign-in", "login and password do not belong together", advice="try again, or ask an administrator for a new link")


def _wrong(service: Service, request: Request, login: str, person: PersonRow | None) -> ApiError:
    because = "disabled" if person is not None and person.disabled_at is not None else "wrong"
    with service.database.write() as connection:
        by = By(_actor(connection, login), None, origin(request))
        whom = person.id if person else None
        accounts.note(connection, by, "session.begun", whom, at=service.now(), outcome="refused", details={"because": because})
    return wrong()


def _actor(connection: sa.Connection, login: str) -> str:
    """A login in the trail. A name that nobody has may be a password that was typed in the wrong field: it is not kept."""
    return login if login and people.by_login(connection, login) else "nobody"


def _too_many(refused: Refused, now: Instant) -> ApiError:
    seconds = max(1, -(-(refused.again_at - now) // SECOND))
    return ApiError(429, "too-many-tries", "there were too many tries", advice=f"wait {seconds} s", headers={"Retry-After": str(seconds)})


def _limits(service: Service, request: Request, login: str) -> tuple[Limit, ...]:
    who = hashlib.sha256(login.encode()).hexdigest()[:32]
    where = network(origin(request))
    device = cookies.read(service.settings, request, Cookie.DEVICE)
    if login and _is_known_device(service, login, device):
        return (Limit(f"device:{hashlib.sha256(device.encode()).hexdigest()[:32]}", OF_DEVICE, _QUARTER, is_own=True),)
    return (
        Limit(f"pair:{who}:{where}", OF_PAIR, _QUARTER, is_own=True),
        Limit(f"address:{where}", OF_ADDRESS, _QUARTER),
        Limit(f"account:{who}", OF_ACCOUNT, _HOUR),
    )


def _is_known_device(service: Service, login: str, value: str) -> bool:
    try:
        sealed = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        made_at = int(service.vault.open(_device(login), sealed).value)
    except (UsageError, ValueError, binascii.Error):
        return False
    return made_at > service.now() - _DEVICE_SECONDS * SECOND


def _device(login: str) -> str:
    return f"device:{login}"


def network(address: str) -> str:
    """What is counted as one: an IPv4 address, the /64 of an IPv6 one, since whoever has one has them all."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
