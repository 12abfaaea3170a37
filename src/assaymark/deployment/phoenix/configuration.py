"""What comes from outside the image: gathered where the deployer runs, and hashed with a key of its own into the generation.

Guarantees: the digest changes whenever a variable, a secret, or a byte or mode of a mounted file changes, and says nothing to whoever reads
journals, since it is keyed (HMAC-SHA-256) with a key that lies in the state folder for this user alone: a short secret cannot be guessed
from it. Values are held in memory while a generation is launched and are written down nowhere here.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from assaymark.deployment.drivers.driver import Configuration
from assaymark.deployment.phoenix.terms import ConfigurationTerms
from assaymark.endorsement.signers import secret_file
from assaymark.errors import UsageError
from assaymark.subjects.manifest import Form, manifest_of

KEY = "key"
_LEAST_KEY = 32
_MOST_FILE = 64 << 20
_RESERVED = "ASSAYMARK_"


def gathered(terms: ConfigurationTerms, key: bytes, environment: Mapping[str, str] | None = None) -> Configuration:
    """The configuration as it is outside now.

    Raises:
        UsageError: when a secret or a file cannot be read, or a name makes no sense.
    """
    given = os.environ if environment is None else environment
    for name in (*terms.variables, *terms.secrets):
        if not name or not name.isascii() or not name.replace("_", "a").isalnum() or name[0].isdigit():
            raise UsageError(f"{name[:100]!r} is no name of a variable", advice="letters, digits and _, and no digit first")
    twice = terms.variables.keys() & terms.secrets.keys()
    if twice:
        raise UsageError(f"{min(twice)} is a variable and a secret at once", advice="name it once")
    secrets = {name: _secret(name, place, given) for name, place in terms.secrets.items()}
    seals = {inside: _seal(inside, Path(outside)) for inside, outside in terms.files.items()}
    text = msgspec.json.encode([terms.variables, secrets, seals], order="sorted")
    digest = "sha256:" + hmac.new(key, b"configuration\0" + text, hashlib.sha256).hexdigest()
    return Configuration(digest, dict(terms.variables), secrets, dict(terms.files))


def key_in(state: Path) -> bytes:
    """The state folder's key; made when there is none yet, whole under another name first, so that two first runs agree on one.

    Raises:
        UsageError: when it cannot be used, or is open to others.
    """
    path = state / KEY
    if not path.exists():
        draft = state / f".{KEY}-{os.getpid()}"
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(number, "wb") as file:
                file.write(os.urandom(_LEAST_KEY))
                file.flush()
                os.fsync(number)
            try:
                path.hardlink_to(draft)
            except FileExistsError:
                pass  # the other process was first: its key counts
            finally:
                draft.unlink()
        except OSError as error:
            raise UsageError(f"{path} cannot be made", why=error.strerror or str(error), advice="name another folder as `state`") from error
    found = secret_file.read(path, "the key")
    if len(found) < _LEAST_KEY:
        raise UsageError(
            f"{path} holds no key", advice="delete it: a new one is made, and every generation's configuration counts as changed"
        )
    return found


def _secret(name: str, place: str, given: Mapping[str, str]) -> str:
    kind, _, rest = place.partition(":")
    if kind == "env" and rest:
        if rest not in given:
            raise UsageError(
                f"the secret {name} is not there", why=f"the environment has no {rest}", advice="set it where the deployer runs"
            )
        if rest.startswith(_RESERVED):
            raise UsageError(f"the secret {name} is the deployer's own", why=f"{rest} opens this machine's doors", advice="name another")
        return given[rest]
    if kind == "file" and rest:
        try:
            return secret_file.read(Path(rest), f"the secret {name}").decode("utf-8").removesuffix("\n")
        except UnicodeDecodeError as error:
            raise UsageError(f"the secret {name} is no text", why=f"{rest} is no UTF-8", advice="mount it as a file instead") from error
    raise UsageError(
        f"it is not said where the secret {name} is", advice="write env:NAME or file:/path; a secret never stands in the terms"
    )


def _seal(inside: str, path: Path) -> str:
    if not inside.startswith("/") or ".." in inside.split("/") or not inside.isprintable():
        raise UsageError(f"{inside[:100]!r} is no path inside", advice="write it whole, from /")
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return str(manifest_of(str(path), Form.OWNED).digest)
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is neither a file nor a folder", advice="mount what can be read again")
        if status.st_size > _MOST_FILE:
            raise UsageError(f"{path} is too large for configuration", why=f"at most {_MOST_FILE} bytes are hashed")
        return f"{stat.S_IMODE(status.st_mode):o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error), advice=f"it is to be mounted as {inside}") from error
