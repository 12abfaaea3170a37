"""What the sample organisation wrote in half a year, as data: people, repositories, changes. Good and bad as in any organisation."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

TEAMS: Mapping[str, str] = {
    "sample/checkout": "sample-payments",
    "sample/ledger": "sample-payments",
    "sample/tracking": "sample-shipping",
    "sample/cluster": "sample-platform",
}
"""Repository -> slug of its team."""
PEOPLE: Mapping[str, tuple[str, str, str]] = {
    "mira": ("Mira Olsen", "developer", "sample-payments"),
    "jonas": ("Jonas Weber", "maintainer", "sample-shipping"),
    "priya": ("Priya Nair", "developer", "sample-platform"),
    "sven": ("Sven Lindqvist", "security", ""),
    "olga": ("Olga Marin", "viewer", ""),
}
"""Login -> name, role, slug of the team; without one in all."""


class Step(Struct, frozen=True):
    """One push: to the main branch, or to that of a merge request."""

    days_ago: int
    repository: str
    actor: str
    title: str
    files: Mapping[str, str]
    branch: str = "main"
    request: int = 0
    ends: int = 0
    """Merge request that comes in with it."""
    deployed: str = ""
    """Environment that runs it afterwards."""


_POLICY = '[policy]\nlevel = "production"\n'
_OWNERS = {"sample/checkout": "* @mira\n", "sample/ledger": "* @mira\n", "sample/tracking": "* @jonas\n", "sample/cluster": "* @priya\n"}
_CART = '''"""Carts of a small shop."""

import sqlite3


def open_database(path):
    return sqlite3.connect(path)


def cart(database, number):
    return database.execute("SELECT item FROM cart WHERE number = ?", (number,)).fetchall()
'''
_VOUCHER_BAD = """

def voucher(database, code):
    return database.execute(f"SELECT worth FROM voucher WHERE code = '{code}'").fetchone()
"""
_VOUCHER = """

def voucher(database, code):
    return database.execute("SELECT worth FROM voucher WHERE code = ?", (code,)).fetchone()
"""
_RECEIPT = """

def print_receipt(printer, number):
    import subprocess

    return subprocess.run(f"lp -d {printer} /receipts/{number}", shell=True)
"""
_SESSION = """

def session_key(user):
    import hashlib

    return hashlib.md5(user.encode()).hexdigest()
"""
_TAX = """

def tax(amount, percent):
    return round(amount * percent / 100, 2)
"""
_LEDGER = '''"""Bookings."""

import json


def load(text):
    return json.loads(text)
'''
_RULES_BAD = """

def rules(text):
    import yaml

    return yaml.load(text, Loader=yaml.Loader)
"""
_RULES = """

def rules(text):
    import yaml

    return yaml.safe_load(text)
"""
_RESTORE = """

def restore(data):
    import pickle

    return pickle.loads(data)
"""
_TRACK = '''"""Where parcels are."""

import urllib.request


def ask(carrier, number):
    with urllib.request.urlopen(f"https://{carrier}.example.org/{number}", timeout=5) as answer:
        return answer.read()
'''
_TRACK_OPEN = """

def ask_without_looking(address):
    import requests

    return requests.get(address, verify=False, timeout=5)
"""
_LABEL_BAD = """

def label(template, parcel):
    return eval(template, {"parcel": parcel})
"""
_LABEL = """

def label(template, parcel):
    return template.format(parcel=parcel)
"""
_DOCKER_BAD = 'FROM docker.io/library/python:latest\nCOPY app /app\nCMD ["python", "-m", "app"]\n'
_DOCKER = "FROM docker.io/library/python:3.13-slim@sha256:" + "7a1f" * 16 + '\nCOPY app /app\nUSER 10001\nCMD ["python", "-m", "app"]\n'
_DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: checkout
spec:
  selector:
    matchLabels: {app: checkout}
  template:
    metadata:
      labels: {app: checkout}
    spec:
      automountServiceAccountToken: false
      containers:
        - name: checkout
          image: registry.example.org/checkout@sha256:%(digest)s
          securityContext:
            privileged: %(privileged)s
            runAsNonRoot: true
            allowPrivilegeEscalation: %(privileged)s
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          resources:
            limits: {cpu: "1", memory: 256Mi}
            requests: {cpu: 100m, memory: 128Mi}
"""
_SAFE_POD = _DEPLOYMENT % {"digest": "3b9e" * 16, "privileged": "false"}
_OPEN_POD = _DEPLOYMENT % {"digest": "3b9e" * 16, "privileged": "true"}
_BUCKET_BAD = 'resource "aws_s3_bucket" "receipts" {\n  bucket = "receipts"\n  acl    = "public-read"\n}\n'
_BUCKET = 'resource "aws_s3_bucket" "receipts" {\n  bucket = "receipts"\n}\n'
_FLOW_BAD = """name: build
on: pull_request_target
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: echo "${{ github.event.pull_request.title }}"
"""

_SHOP = _CART + _SESSION + _VOUCHER
_PARCELS = _TRACK + _LABEL
_SENDER = '\n\nSENDER = "harbour"\n'


def _first(name: str, files: Mapping[str, str]) -> dict[str, str]:
    return {"assay.toml": _POLICY, "CODEOWNERS": _OWNERS[name], **files}


HISTORY: tuple[Step, ...] = (
    Step(182, "sample/checkout", "mira", "Keep carts",
         _first("sample/checkout", {"app/cart.py": _CART + _SESSION, "Dockerfile": _DOCKER_BAD})),
    Step(180, "sample/ledger", "mira", "Keep bookings", _first("sample/ledger", {"app/ledger.py": _LEDGER + _RESTORE})),
    Step(178, "sample/tracking", "jonas", "Say where parcels are", _first("sample/tracking", {"app/track.py": _TRACK + _TRACK_OPEN})),
    Step(176, "sample/cluster", "priya", "Describe the cluster",
         _first("sample/cluster", {"checkout.yaml": _OPEN_POD, "receipts.tf": _BUCKET_BAD})),
    Step(150, "sample/checkout", "mira", "Take vouchers", {"app/cart.py": _CART + _SESSION + _VOUCHER_BAD}, branch="vouchers", request=1),
    Step(149, "sample/checkout", "mira", "Take vouchers", {"app/cart.py": _SHOP}, branch="vouchers", request=1),
    Step(148, "sample/checkout", "mira", "Take vouchers", {"app/cart.py": _SHOP}, ends=1, deployed="production"),
    Step(120, "sample/ledger", "mira", "Read rules", {"app/ledger.py": _LEDGER + _RESTORE + _RULES_BAD}, branch="rules", request=1),
    Step(118, "sample/ledger", "mira", "Read rules", {"app/ledger.py": _LEDGER + _RESTORE + _RULES}, branch="rules", request=1),
    Step(118, "sample/ledger", "mira", "Read rules", {"app/ledger.py": _LEDGER + _RESTORE + _RULES}, ends=1),
    Step(95, "sample/cluster", "priya", "Close the bucket", {"receipts.tf": _BUCKET}),
    Step(80, "sample/tracking", "jonas", "Print labels", {"app/track.py": _TRACK + _TRACK_OPEN + _LABEL_BAD}, branch="labels", request=1),
    Step(79, "sample/tracking", "jonas", "Print labels", {"app/track.py": _TRACK + _TRACK_OPEN + _LABEL}, branch="labels", request=1),
    Step(78, "sample/tracking", "jonas", "Print labels", {"app/track.py": _TRACK + _TRACK_OPEN + _LABEL}, ends=1, deployed="production"),
    Step(60, "sample/checkout", "mira", "Build from a fixed image", {"Dockerfile": _DOCKER}),
    Step(45, "sample/tracking", "jonas", "Look at certificates again", {"app/track.py": _PARCELS}, deployed="production"),
    Step(30, "sample/cluster", "priya", "Let the shop run without privileges", {"checkout.yaml": _SAFE_POD}),
    Step(21, "sample/checkout", "mira", "Reckon taxes", {"app/cart.py": _SHOP + _TAX}, branch="taxes", request=2),
    Step(20, "sample/checkout", "mira", "Reckon taxes", {"app/cart.py": _SHOP + _TAX}, ends=2, deployed="production"),
    Step(6, "sample/ledger", "mira", "Build on each proposal", {".github/workflows/build.yml": _FLOW_BAD}, branch="build", request=2),
    Step(2, "sample/checkout", "mira", "Print receipts", {"app/cart.py": _SHOP + _TAX + _RECEIPT}, branch="receipts", request=3),
    Step(1, "sample/tracking", "jonas", "Name the sender", {"app/track.py": _PARCELS + _SENDER}, branch="sender", request=2),
)  # fmt: skip
"""In the order in which it happened."""


class Let(Struct, frozen=True):
    """A decision of the sample, forty days ago."""

    rule: str
    team: str
    kind: str
    reason: str
    owner: str
    days: int


DECISIONS: tuple[Let, ...] = (
    Let("ruff/S324", "sample-payments", "waive", "Session keys are replaced with the new login in December", "mira", 60),
    Let("terraform/s3-no-log", "sample-platform", "accept", "The bucket holds public receipts' templates only", "sven", 300),
)
