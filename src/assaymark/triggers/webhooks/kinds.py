"""Who reads the deliveries of which kind of connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from assaymark.triggers.webhooks import bitbucket, gitea, github, gitlab, registry
from assaymark.triggers.webhooks.delivery import Delivery, Message

READERS: Mapping[str, Callable[[Message], Delivery]] = {
    "github": github.read,
    "gitlab": gitlab.read,
    "gitea": gitea.read,
    "bitbucket": bitbucket.read,
    "registry": registry.read,
}
