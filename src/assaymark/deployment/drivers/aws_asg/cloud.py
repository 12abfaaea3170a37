"""The cloud's API through its own library, with what goes wrong said as it is said everywhere here.

Guarantees: the library is imported when a driver is opened and not before; credentials, profile and role come from the library's own
environment and files; what may pass is tried again by it; an answer in pages is read to its end or is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from assaymark.deployment.drivers.aws_asg.settings import Settings
from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.errors import EngineMissing

_ATTEMPTS = 8
_MOST_PAGES = 400
Clients = Callable[[str], Any]


class Denied(DriverFailed):
    """The cloud said no, with a code."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        advice = "give the deployer the policy of docs/how-to/phoenix-aws.md" if code in _NOT_ALLOWED else ""
        super().__init__(f"the cloud answers {code} to {operation}", why=_plain(message), advice=advice)
        self.error_code = code


_NOT_ALLOWED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure"})


class Cloud:
    """One region of one account."""

    def __init__(self, clients: Clients, region: str) -> None:
        self._clients, self.region = clients, region

    def ask(self, service: str, operation: str, **given: Any) -> dict[str, Any]:
        """The answer to one call, named as the library names it (`describe_images`)."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - an extra, and slow to import

        try:
            answer: dict[str, Any] = getattr(self._clients(service), operation)(**given)
        except ClientError as error:
            said = error.response.get("Error", {})
            raise Denied(operation, str(said.get("Code", "?")), str(said.get("Message", ""))) from error
        except (BotoCoreError, OSError) as error:
            raise DriverFailed(f"the cloud does not answer {operation}", why=_plain(str(error))) from error
        return answer

    def every(self, service: str, operation: str, member: str, **given: Any) -> list[dict[str, Any]]:
        """All of a list, page by page."""
        found: list[dict[str, Any]] = []
        for _ in range(_MOST_PAGES):
            page = self.ask(service, operation, **given)
            found += page.get(member) or ()
            if not page.get("NextToken"):
                return found
            given["NextToken"] = page["NextToken"]
        raise DriverFailed(f"the answer to {operation} has no end")


def opened(settings: Settings) -> Cloud:
    """The cloud that the settings name.

    Raises:
        EngineMissing: when the library is not installed.
    """
    try:
        import boto3  # noqa: PLC0415 - an extra, and slow to import
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise EngineMissing(
            "the library for Amazon's cloud is not installed", why=str(error), advice="pip install 'assaymark[aws]'"
        ) from error
    retries = {"mode": "standard", "max_attempts": _ATTEMPTS}
    config = Config(retries=retries, connect_timeout=10, read_timeout=60, user_agent_extra="assaymark")
    try:
        session = boto3.session.Session(profile_name=settings.profile or None, region_name=settings.region)
    except BotoCoreError as error:
        raise EngineMissing("there are no settings for Amazon's cloud", why=str(error), advice="name another profile") from error

    @cache
    def client(service: str) -> Any:
        return session.client(service, endpoint_url=settings.endpoint or None, config=config)

    return Cloud(client, settings.region)


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:500]).strip()
