"""Passwords of shops: scrypt, each with a salt of its own."""

import hashlib
import hmac
import os

COST = {"n": 2**14, "r": 8, "p": 1}


def hash_password(password, salt=None):
    salt = salt or os.urandom(16)
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **COST).hex()}"


def verify_password(password, stored):
    salt, _, _ = stored.partition("$")
    return hmac.compare_digest(hash_password(password, bytes.fromhex(salt)), stored)
