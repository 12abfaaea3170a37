"""Credentials in content: tokens of providers, keys, passwords, hashes and payment cards."""
