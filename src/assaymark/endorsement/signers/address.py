"""Where a private key is, as one text that may be shown and logged: it names a place, never a secret.

| address | where |
|---|---|
| ``own:`` | in the server's database, sealed by its vault (only the server opens it) |
| ``file:/etc/assaymark/endorse.pem`` | a PEM file of this user alone |
| ``pkcs11:token=…;object=…?module-path=…&pin-source=file:…`` | a token (RFC 7512) |
| ``awskms:…``, ``gcpkms:…``, ``azurekms:…``, ``hashivault:…`` | a service, as securesystemslib writes it |
"""

from __future__ import annotations

import re

from assaymark.errors import UsageError

OWN = "own:"
FILE = "file"
PKCS11 = "pkcs11"
SERVICES = ("awskms", "gcpkms", "azurekms", "hashivault")
SCHEMES = (FILE, PKCS11, *SERVICES)
_LONGEST = 2000
_SECRETS = re.compile(r"(?i)[?&;](pin-value|password|passphrase|secret|token-value)=")


def scheme_of(address: str) -> str:
    """Which kind of place it names.

    Raises:
        UsageError: when it names none, or holds a secret, which an address never does.
    """
    scheme, colon, rest = address.partition(":")
    if not colon or not rest or scheme not in SCHEMES or len(address) > _LONGEST or not address.isprintable():
        raise UsageError(
            f"{address[:100]!r} is no address of a key",
            why=f"it begins with none of {', '.join(f'{each}:' for each in SCHEMES)}",
            advice="write it as file:/path/key.pem or pkcs11:token=…;object=…",
        )
    if _SECRETS.search(address):
        raise UsageError(
            "an address of a key holds no secret", why="it is shown and logged", advice="put the secret into a file: pin-source=file:/path"
        )
    return scheme
