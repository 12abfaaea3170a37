"""A token of SoftHSM in a folder, with a key pair on it."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

import pkcs11
import pytest
from msgspec import Struct
from pkcs11.util.ec import encode_named_curve_parameters

PLACES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm.so", "/usr/local/lib/softhsm/libsofthsm2.so")


class Tokens(Struct, frozen=True):
    module: str
    pin: str
    pin_file: Path

    def address(self, label: str, *, key: str = "endorse") -> str:
        return f"pkcs11:token={label};object={key}?module-path={self.module}&pin-source=file:{self.pin_file}"

    def make(self, label: str, *, curve: str = "secp256r1", public_of: str = "") -> str:
        """A token with one key; gives the address."""
        words = ["--init-token", "--free", "--label", label, "--pin", self.pin, "--so-pin", self.pin]
        subprocess.run(["softhsm2-util", *words], check=True, capture_output=True, timeout=60)
        library = pkcs11.lib(self.module)
        library.reinitialize()  # what another process made is seen only then
        with library.get_token(token_label=label).open(rw=True, user_pin=self.pin) as session:
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}, local=True
            )
            parameters.generate_keypair(store=True, label="endorse")
            if public_of:
                other, _ = parameters.generate_keypair(store=True, label="other")
                session.get_key(pkcs11.ObjectClass.PUBLIC_KEY, label="endorse").destroy()
                other.copy({pkcs11.Attribute.LABEL: "endorse"})
        return self.address(label)


def start(folder: Path) -> Tokens:
    """SoftHSM with its tokens in this folder; says loudly when it is not there."""
    module = next((place for place in PLACES if Path(place).exists()), "")
    if not module:
        pytest.skip("NOT PROVED: SoftHSM is not installed; do this: sudo apt-get install softhsm2")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    pin = secrets.token_hex(4)
    (folder / "pin").write_text(pin + "\n")
    (folder / "pin").chmod(0o600)
    return Tokens(module, pin, folder / "pin")
