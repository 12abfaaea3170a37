"""All rules about images in one table, and how a flaw becomes a sighting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from assaymark.checks.infrastructure.images import config_rules, file_rules
from assaymark.checks.infrastructure.images.documents import Config, Files, Unreadable
from assaymark.checks.infrastructure.images.flaws import ImageFlaw
from assaymark.checks.rulebook import MOST_FLAWS, Rule, one_line
from assaymark.model.finding import CheckId, Fix, HostSite, RuleId, Sighting
from assaymark.model.severity import Confidence, Severity

_INFO, _LOW, _MEDIUM, _HIGH = Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH
_SURE, _LIKELY = Confidence.HIGH, Confidence.MEDIUM

RULES: Final[dict[str, Rule]] = {
    "root-user": Rule(
        _MEDIUM, _SURE, "Make a user in the Dockerfile (`RUN useradd --system app`) and name it at its end: `USER app`, best by number."
    ),
    "remote-access": Rule(_MEDIUM, _LIKELY, "Take the port out; to look into a container use `docker exec` or `kubectl exec`."),
    "runtime-socket": Rule(
        _HIGH, _SURE, "Take the volume out; build images without the runtime's socket, and give a supervisor a proxy that permits little."
    ),
    "no-healthcheck": Rule(_INFO, _SURE, "Add HEALTHCHECK to the Dockerfile, or probes where the image is run; then this can be waived."),
    "verification-off": Rule(_MEDIUM, _SURE, "Take the variable or option out, and install the authority that signed the certificate."),
    "debug-enabled": Rule(_LOW, _LIKELY, "Set it where developers work, not in the image."),
    "search-path": Rule(_MEDIUM, _LIKELY, "List absolute folders that only root may write to."),
    "remote-add": Rule(
        _MEDIUM, _SURE, "Give the digest: `ADD --checksum=sha256:… <address>`, or download in a RUN step that compares a checksum."
    ),
    "remote-script": Rule(
        _MEDIUM, _SURE, "Download to a file, compare it with a known digest (`sha256sum --check`), and run it only then."
    ),
    "cleartext-download": Rule(_LOW, _SURE, "Fetch it over https, and compare it with a known digest."),
    "package-check-off": Rule(_LOW, _SURE, "Take the option out, and install the key of the repository."),
    "unverified-program": Rule(_LOW, _LIKELY, "Compare it with a digest that stands in the Dockerfile: `sha256sum --check`."),
    "setuid-program": Rule(_MEDIUM, _LIKELY, "Take the bit away in the step that installs it (`chmod u-s`), or leave the program out."),
    "setgid-program": Rule(_LOW, _LIKELY, "Take the bit away in the step that installs it (`chmod g-s`), or leave the program out."),
    "file-capabilities": Rule(
        _LOW, _LIKELY, "Take them away (`setcap -r`), and give the container the one capability that it needs when it is started."
    ),
    "world-writable-file": Rule(_MEDIUM, _SURE, "Give it to the user that writes it, and take the right from others: `chmod o-w`."),
    "world-writable-folder": Rule(
        _MEDIUM, _SURE, "Give it to the user that writes there (`COPY --chown=`), or set the sticky bit: `chmod 1777`."
    ),
    "device-node": Rule(_MEDIUM, _SURE, "Remove it; a container gets the devices that it may use when it is started."),
    "account-file-rights": Rule(_HIGH, _SURE, "Restore what the distribution set: `chown root:root`, and `chmod 640` or stricter."),
    "remote-daemon": Rule(_LOW, _LIKELY, "Leave it out; to look into a container use `docker exec` or `kubectl exec`."),
    "package-cache": Rule(_INFO, _SURE, "Clear it in the step that fills it, or use a cache mount: `RUN --mount=type=cache,…`."),
}

CONFIG_RULES: Final[tuple[Callable[[Config], Iterator[ImageFlaw]], ...]] = (
    config_rules.root_user,
    config_rules.remote_access,
    config_rules.runtime_socket,
    config_rules.no_healthcheck,
    config_rules.environment,
    config_rules.history,
)
FILE_RULES: Final[tuple[Callable[[Files], Iterator[ImageFlaw]], ...]] = (
    file_rules.setuid_program,
    file_rules.setgid_program,
    file_rules.file_capabilities,
    file_rules.world_writable,
    file_rules.device_node,
    file_rules.account_files,
    file_rules.remote_daemon,
    file_rules.package_cache,
)


def sightings(check: CheckId, flaws: Iterable[ImageFlaw]) -> tuple[Sighting, ...]:
    """The flaws as sightings, each once: a history may tell the same thing twice without there being two of it.

    Raises:
        Unreadable: when there are more than anyone would read.
    """
    found = list(islice(flaws, MOST_FLAWS + 1))
    if len(found) > MOST_FLAWS:
        raise Unreadable("size", f"The image has more than {MOST_FLAWS} flaws of one kind; correct the rights of whole folders first.")
    made = {(flaw.rule, flaw.control, flaw.target): _sighting(check, flaw) for flaw in reversed(found)}
    return tuple(made[key] for key in sorted(made))


def _sighting(check: CheckId, flaw: ImageFlaw) -> Sighting:
    rule = RULES[flaw.rule]
    return Sighting(
        rule=RuleId(f"{check}/{flaw.rule}"),
        site=HostSite(control=flaw.control, target=one_line(flaw.target)),
        severity=flaw.severity or rule.severity,
        message=one_line(flaw.message),
        confidence=rule.confidence,
        fix=Fix(advice=rule.advice),
    )
