"""Registries that say what was pushed: the notification envelope of the OCI Distribution registry (also GitLab's, and Azure's single
events), Harbor, Quay, Docker Hub.

None of them signs: the secret comes along in ``Authorization`` (as it is, as bearer, or as the password of basic), or, for Docker Hub and
Quay, which can send no header, in the URL. Compared in constant time like a signature.
An image is known by name and tag and judged by digest; Docker Hub and Quay tell no digest, so it is asked for when the image is judged.
Layers and other parts of images are no images and are ignored; so is what lies beside an image, such as its endorsement.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.triggers.webhooks import signatures
from assaymark.triggers.webhooks.delivery import Delivery, Message, PayloadInvalid, delivery, digest, is_bot, parse, text

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_NO_IMAGE = (
    "application/vnd.oci.empty.v1+json",
    "application/vnd.dev.sigstore.bundle",
    "application/vnd.dsse.envelope",
    "application/vnd.dev.cosign.",
)
"""Parts that only what lies beside an image has."""
_BESIDE = re.compile(r"sha256-[0-9a-f]{64}(?:\.[A-Za-z0-9_.-]+)?\Z")


class _Part(Struct, frozen=True, rename="camel"):
    media_type: str = ""


class _Target(Struct, frozen=True, rename="camel"):
    repository: str = ""
    digest: str = ""
    media_type: str = ""
    tag: str = ""
    url: str = ""
    references: tuple[_Part, ...] = ()


class _Request(Struct, frozen=True):
    host: str = ""


class _Actor(Struct, frozen=True):
    name: str = ""


class _Event(Struct, frozen=True):
    action: str
    target: _Target
    request: _Request | None = None
    actor: _Actor | None = None
    timestamp: str = ""
    id: str = ""


class _Envelope(Struct, frozen=True):
    events: tuple[_Event, ...]


class _Resource(Struct, frozen=True):
    resource_url: str
    digest: str = ""
    tag: str = ""


class _EventData(Struct, frozen=True):
    resources: tuple[_Resource, ...] = ()


class _Harbor(Struct, frozen=True):
    type: str
    event_data: _EventData
    operator: str = ""
    occur_at: int = 0


class _HubPush(Struct, frozen=True):
    tag: str
    pusher: str = ""


class _HubRepository(Struct, frozen=True):
    repo_name: str


class _Hub(Struct, frozen=True):
    push_data: _HubPush
    repository: _HubRepository


class _Quay(Struct, frozen=True):
    docker_url: str
    updated_tags: tuple[str, ...] | dict[str, str]


_NONE = msgspec.Raw(b"")


class _Shape(Struct, frozen=True):
    """Which of them it is."""

    events: msgspec.Raw = _NONE
    target: msgspec.Raw = _NONE
    event_data: msgspec.Raw = _NONE
    push_data: msgspec.Raw = _NONE
    docker_url: msgspec.Raw = _NONE


def read(message: Message) -> Delivery:
    """Verified, then parsed.

    Raises:
        SignatureWrong: when the secret did not come along.
        PayloadInvalid: when it is none of the known notifications.
    """
    signatures.need_token(message, _credential(message), "authorization")
    shape = parse(message, _Shape)
    if bytes(shape.events):
        return delivery(message, "notification", *_distribution(message, parse(message, _Envelope).events))
    if bytes(shape.target):
        return delivery(message, "notification", *_distribution(message, (parse(message, _Event),)))
    if bytes(shape.event_data):
        event = parse(message, _Harbor)
        return delivery(message, event.type, *_harbor(event))
    if bytes(shape.push_data):
        hub = parse(message, _Hub)
        name, data = f"docker.io/{text(hub.repository.repo_name)}", hub.push_data
        return delivery(message, "push", *([] if _is_beside(data.tag) else [_tagged(name, data.tag, data.pusher)]))
    if bytes(shape.docker_url):
        quay = parse(message, _Quay)
        tags = [tag for tag in quay.updated_tags if not _is_beside(tag)]
        return delivery(message, "push", *(_tagged(text(quay.docker_url), tag, "") for tag in tags))
    raise PayloadInvalid("this is no notification of a registry", why="it has none of events, target, event_data, push_data, docker_url")


def _is_beside(tag: str) -> bool:
    """Whether a tag lists or holds what refers to an image (OCI's referrers tag schema; cosign's ``.att``, ``.sig``)."""
    return bool(_BESIDE.match(tag))


def _credential(message: Message) -> str:
    given = message.header("authorization")
    scheme, _, rest = given.partition(" ")
    if scheme.casefold() == "bearer":
        return rest.strip()
    if scheme.casefold() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode("utf-8", "surrogateescape").partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return given or message.key


def _distribution(message: Message, events: tuple[_Event, ...]) -> Iterator[Trigger]:
    for event in events:
        target = event.target
        if event.action not in ("push", "delete") or not target.digest or (target.media_type and target.media_type not in _MANIFESTS):
            continue
        if _is_beside(target.tag) or any(each.media_type.startswith(_NO_IMAGE) for each in target.references):
            continue
        host = message.home.partition("://")[2] or (event.request.host if event.request else "")
        if not host or not target.repository:
            raise PayloadInvalid("the notification names no host or repository", advice="enter the registry's address in the connection")
        name = f"{text(host, 300).lower()}/{text(target.repository)}"
        kind = TriggerKind.IMAGE if event.action == "push" else TriggerKind.ENDED
        who = event.actor.name if event.actor else ""
        yield _image(kind, name, target.digest, target.tag, who, text(event.timestamp, 40))


def _harbor(event: _Harbor) -> Iterator[Trigger]:
    kind = {"PUSH_ARTIFACT": TriggerKind.IMAGE, "DELETE_ARTIFACT": TriggerKind.ENDED}.get(event.type)
    for resource in event.event_data.resources if kind else ():
        name = text(resource.resource_url).partition("@")[0]
        head, slash, last = name.rpartition("/")
        tag = "" if resource.tag == resource.digest else resource.tag
        if _is_beside(tag):
            continue
        yield _image(kind or TriggerKind.IMAGE, f"{head}{slash}{last.partition(':')[0]}", resource.digest, tag, event.operator, "")


def _image(kind: TriggerKind, name: str, sha: str, tag: str, actor: str, at: str) -> Trigger:  # noqa: PLR0913, PLR0917 - parts of one name
    found = digest(sha, "digest")
    who = text(actor, 200)
    details = {"tag": text(tag, 128)} if tag else {}
    after = found if kind is TriggerKind.IMAGE else ""
    bot = is_bot(who) or who.startswith("robot$")
    return Trigger(kind, None, SubjectKind.IMAGE, f"{name}@{found}", after=after, actor=who, bot=bot, at=at, details=details)


def _tagged(name: str, tag: str, actor: str) -> Trigger:
    who = text(actor, 200)
    return Trigger(TriggerKind.IMAGE, None, SubjectKind.IMAGE, name, actor=who, bot=is_bot(who), details={"tag": text(tag, 128)})
