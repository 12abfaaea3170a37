"""The two ends of every module here: a message as it came, and what it turned out to be.

Guarantees: nothing is parsed before the signature over the raw bytes was found right; text that goes on is free of control characters (no
database and no log is surprised), bounded in length, and commits, digests and refs have the shape of such. Fields that are not asked for
are skipped, not built.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from assaymark.checks.settings import Secret
from assaymark.errors import UsageError
from assaymark.model.trigger import Trigger

MOST_BYTES = 25 << 20
"""GitHub sends nothing larger, and GitLab's own limit is the same."""
_MOST_TRIGGERS = 1000
_COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")  # Bitbucket shortens them in pull requests
_DIGEST = re.compile(r"sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})\Z")
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BOT = re.compile(r".*\[bot\]\Z|(project|group)_\d+_bot|.*[-_]bot\Z", re.DOTALL)
_DELIVERY_ID = re.compile(r"[\x21-\x7e]{1,200}\Z")

Payload = TypeVar("Payload")


class SignatureWrong(UsageError):  # noqa: N818 - like the rest of the tree
    """Not from who it says, or the secret is another one."""


class PayloadInvalid(UsageError):  # noqa: N818
    """Signed rightly, and yet not what this event looks like."""


class Message(Struct, frozen=True):
    """One HTTP request."""

    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes
    secrets: tuple[Secret, ...]
    """All that are valid now: two while one is being replaced."""
    home: str = ""
    """Where the forge's pages are, without a slash at the end; clone URLs that a payload leaves out are made from it."""
    now: int = 0
    """Seconds since 1970, for signatures that hold for a time."""
    key: str = ""
    """What stood in the URL, for senders that can sign nothing."""

    def header(self, *names: str) -> str:
        """The first of these that came."""
        return next((self.headers[name] for name in names if self.headers.get(name)), "")


class Wish(Struct, frozen=True):
    """What somebody asked for by a button at the forge."""

    what: str
    """``explain``, ``waiver``, ``again``."""
    external: str
    """What we called the assessment when we wrote the button."""
    remote: str
    """The forge's number of the thing that has the button."""
    head: str
    actor: str


class Delivery(Struct, frozen=True):
    """What a message turned out to be."""

    id: str
    """The sender's own, the same when he sends it again; the body's digest where he gives none."""
    event: str
    triggers: tuple[Trigger, ...] = ()
    why: str = ""
    """Why there is no trigger in it."""
    wishes: tuple[Wish, ...] = ()


def delivery(message: Message, event: str, *triggers: Trigger, id: str = "", why: str = "") -> Delivery:  # noqa: A002 - its name
    """A delivery with an id in any case.

    Raises:
        PayloadInvalid: when it holds more than anybody pushes at once.
    """
    if len(triggers) > _MOST_TRIGGERS:
        raise PayloadInvalid(f"the delivery holds {len(triggers)} changes", advice=f"at most {_MOST_TRIGGERS} are taken")
    own = id if _DELIVERY_ID.match(id) else f"sha256:{hashlib.sha256(message.body).hexdigest()}"
    return Delivery(own, text(event, 100), triggers, "" if triggers else why or f"nothing is judged for {text(event, 100)}")


def parse(message: Message, kind: type[Payload]) -> Payload:
    """The body as this structure; a form's field `payload` is read as well.

    Raises:
        PayloadInvalid: with the place that is wrong.
    """
    body: bytes | str = message.body
    if message.header("content-type").partition(";")[0].strip() == "application/x-www-form-urlencoded":
        try:
            body = parse_qs(message.body.decode("utf-8"), strict_parsing=True, max_num_fields=8).get("payload", [""])[0]
        except ValueError as error:
            raise PayloadInvalid("the form cannot be read", advice="let the webhook send application/json") from error
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise PayloadInvalid("the payload is not that of this event", why=text(str(error), 300)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadInvalid("the payload is no JSON", why=text(str(error), 300)) from error


def text(value: str, most: int = 500) -> str:
    """Fit for a row, a log and a page."""
    return _CONTROL.sub(" ", value[: most * 2])[:most].strip()


def commit(value: str | None, what: str) -> str:
    """A commit, or nothing for the forges' word for nothing.

    Raises:
        PayloadInvalid: for other text.
    """
    if not value or not value.strip("0"):
        return ""
    if not _COMMIT.match(value):
        raise PayloadInvalid(f"{what} is {text(value, 80)!r}", why="that is no commit")
    return value


def digest(value: str, what: str) -> str:
    """A content digest.

    Raises:
        PayloadInvalid: for other text.
    """
    if not _DIGEST.match(value):
        raise PayloadInvalid(f"{what} is {text(value, 80)!r}", why="that is no digest")
    return value


def ref(value: str, what: str = "ref") -> str:
    """A full ref that git could have made.

    Raises:
        PayloadInvalid: for other text.
    """
    if len(value) > 1000 or not _REF.match(value) or ".." in value or "//" in value or value.endswith((".lock", "/", ".")):
        raise PayloadInvalid(f"{what} is {text(value, 80)!r}", why="that is no ref")
    return value


def is_bot(login: str, kind: str = "") -> bool:
    """Whether a program did it, as far as names and kinds say."""
    return kind.casefold() in ("bot", "app_user", "service") or _BOT.match(login) is not None
