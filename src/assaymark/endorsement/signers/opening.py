"""One door to a signer: the address says where the key is.

Guarantees: a passphrase or PIN comes from a file or from the environment, never from the address or an argument of a command; a library
that a place needs is imported when such a place is opened, and asked for by name when it is not installed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from assaymark.endorsement import keys
from assaymark.endorsement.keys import Signer
from assaymark.endorsement.signers import address as addresses
from assaymark.endorsement.signers import secret_file
from assaymark.errors import UsageError

PASSPHRASE = "ASSAYMARK_SIGNER_PASSPHRASE"  # noqa: S105 - the name of a variable
PASSPHRASE_FILE = "ASSAYMARK_SIGNER_PASSPHRASE_FILE"  # noqa: S105 - likewise


def open_signer(address: str, environment: Mapping[str, str] | None = None) -> Signer:
    """The signer at an address.

    Raises:
        UsageError: when the address, the key or its passphrase makes no sense.
        EngineMissing: when a library for this kind of place is not installed, or the place does not answer.
    """
    given = os.environ if environment is None else environment
    scheme = addresses.scheme_of(address)
    if scheme == addresses.FILE:
        return _of_file(address, given)
    if scheme == addresses.PKCS11:
        from assaymark.endorsement.signers.pkcs11 import open_token  # noqa: PLC0415

        return open_token(address, given)
    from assaymark.endorsement.signers.services import open_service  # noqa: PLC0415

    return open_service(address)


def _of_file(address: str, given: Mapping[str, str]) -> Signer:
    path = Path(unquote(address.removeprefix("file:").removeprefix("//")))
    if not path.is_absolute():
        raise UsageError(f"{address!r} names no file", advice="write the path from the root, as file:/etc/assaymark/endorse.pem")
    return keys.private_key(secret_file.read(path, "the key"), passphrase(given))


def passphrase(given: Mapping[str, str]) -> bytes | None:
    """Of a key file: from a file whose name the environment gives, or from the environment itself; None without either.

    Raises:
        UsageError: when both are given, or the file cannot be read.
    """
    text, file = given.get(PASSPHRASE, ""), given.get(PASSPHRASE_FILE, "")
    if text and file:
        raise UsageError(f"{PASSPHRASE} and {PASSPHRASE_FILE} are both given", advice="keep the file, and take the other out")
    if file:
        text = secret_file.line(Path(file), "the passphrase")
    return text.encode() or None
