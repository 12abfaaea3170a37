"""Formats as their providers publish them, generated from the published description and not from our expressions.

Each generator says where its format is described. What a provider only promises in part (a length, an alphabet) is drawn from all of it.
"""

from __future__ import annotations

import base64
import binascii
import random
import string
import uuid
from collections.abc import Callable

import pytest

from assaymark.model.finding import Sighting
from assaymark.model.severity import Confidence

Scan = Callable[..., tuple[Sighting, ...]]
Generator = Callable[[random.Random], str]

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
URL_SAFE = string.ascii_letters + string.digits + "-_"
HEX = "0123456789abcdef"


def draw(chance: random.Random, size: int, alphabet: str = BASE62) -> str:
    return "".join(chance.choices(alphabet, k=size))


def crc_62(payload: str) -> str:
    """CRC-32 of the random part, in Base62, six digits, zeros in front."""
    number, digits = binascii.crc32(payload.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = BASE62[rest] + digits
    return digits


def github(kind: str) -> Generator:
    """github.blog, “Behind GitHub's new authentication token formats” (2021): prefix, 30 random Base62 digits, six of checksum."""

    def make(chance: random.Random) -> str:
        body = draw(chance, 30)
        return f"gh{kind}_" + body + crc_62(body)

    return make


def npm(chance: random.Random) -> str:
    """github.blog, “npm's new access token format” (2021): as GitHub's, prefix npm."""
    body = draw(chance, 30)
    return "npm" + "_" + body + crc_62(body)


def pypi(chance: random.Random) -> str:
    """pypi.org/help#apitoken and pymacaroons' V2 binary: a macaroon with location pypi.org, an identifier and caveats, then Base64url."""
    identifier = str(uuid.UUID(int=chance.getrandbits(128), version=4)).encode()
    caveat = b'[1,["%s"]]' % str(uuid.UUID(int=chance.getrandbits(128), version=4)).encode()

    def field(kind: int, text: bytes) -> bytes:
        return bytes((kind, len(text))) + text

    packed = b"\x02" + field(1, b"pypi.org") + field(2, identifier) + b"\0" + field(2, caveat) + b"\0\0" + field(6, chance.randbytes(32))
    return "pypi-" + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def aws_id(chance: random.Random) -> str:
    """IAM User Guide, “IAM identifiers”: AKIA, then Base32 of 80 bits that hold the account number."""
    account = chance.randrange(10**11, 10**12)
    packed = ((1 << 47) | (account << 7) | chance.getrandbits(7)).to_bytes(6, "big") + chance.randbytes(4)
    return "AK" + "IA" + base64.b32encode(packed).decode()


def aws_secret(chance: random.Random) -> str:
    """The same guide: 40 characters of Base64 over 30 random bytes, shown beside the key id in a credentials file."""
    return base64.b64encode(chance.randbytes(30)).decode()


def azure_storage(chance: random.Random) -> str:
    """learn.microsoft.com, “Manage storage account access keys”: 512 bits in Base64, in a connection string."""
    return base64.b64encode(chance.randbytes(64)).decode()


def nkey(chance: random.Random) -> str:
    """github.com/nats-io/nkeys README: prefix bytes, 32 bytes of seed, CRC-16 little-endian, Base32 without padding."""
    raw = bytes(((18 << 3) | (20 << 3) >> 5, ((20 << 3) & 31) << 3)) + chance.randbytes(32)
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


def bech32_age(chance: random.Random) -> str:
    """age-encryption.org/v1: Bech32 (BIP 173) of 32 bytes with the human-readable part AGE-SECRET-KEY-, in capitals."""
    charset, hrp = "qpzry9x8gf2tvdw0s3jn54khce6mua7l", "age-secret-key-"
    bits = "".join(f"{byte:08b}" for byte in chance.randbytes(32)).ljust(260, "0")
    data = [int(bits[i : i + 5], 2) for i in range(0, 260, 5)]
    values = [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp] + data + [0] * 6
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, word in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= word if (top >> bit) & 1 else 0
    check ^= 1
    tail = [(check >> 5 * (5 - i)) & 31 for i in range(6)]
    return (hrp + "1" + "".join(charset[d] for d in data + tail)).upper()


def of(text: str, *parts: tuple[int, str] | str) -> Generator:
    """A prefix and then parts, each text or (length, alphabet)."""
    return lambda chance: text + "".join(p if isinstance(p, str) else draw(chance, *p) for p in parts)


PUBLISHED: dict[str, tuple[Generator, str, str]] = {
    # name: (generator, line it stands in, provider in the notes)
    "github-personal": (github("p"), "token: {}", "GitHub"),
    "github-oauth": (github("o"), "x = '{}'", "GitHub"),
    "github-app": (github("s"), "GITHUB={}", "GitHub"),
    # docs.github.com, “Managing your personal access tokens”: github_pat_, 22, _, 59
    "github-fine-grained": (of("github" + "_pat_", (22, BASE62), "_", (59, BASE62)), "{}", "GitHub"),
    # docs.gitlab.com, “Token overview”, prefixes; 20 characters of Devise.friendly_token
    "gitlab-personal": (of("glp" + "at-", (20, URL_SAFE)), "token = {}", "GitLab"),
    "gitlab-runner": (of("glr" + "t-", (20, URL_SAFE)), "token = {}", "GitLab"),
    "gitlab-deploy": (of("gld" + "t-", (20, URL_SAFE)), "token = {}", "GitLab"),
    "npm": (npm, "//registry.npmjs.org/:_authToken={}", "npm"),
    "pypi": (pypi, "password = {}", "PyPI"),
    # docs.stripe.com/keys: sk_live_, rk_live_; 24 characters for old keys, 99 for new ones
    "stripe-old": (of("sk" + "_live_", (24, BASE62)), "key {}", "Stripe"),
    "stripe-new": (of("sk" + "_live_51", (97, BASE62)), "key {}", "Stripe"),
    "stripe-restricted": (of("rk" + "_live_51", (97, BASE62)), "key {}", "Stripe"),
    # docs.slack.dev, “Tokens”: xoxb-, team, bot and 24 characters; xapp-1-app-number-64 hex
    "slack-bot": (of("xo" + "xb-", (12, string.digits), "-", (13, string.digits), "-", (24, BASE62)), "{}", "Slack"),
    "slack-app": (of("xa" + "pp-1-A", (10, string.digits + "ABCDEF"), "-", (13, string.digits), "-", (64, HEX)), "{}", "Slack"),
    "aws-key-id": (aws_id, "aws_access_key_id = {}", "AWS"),
    "aws-secret": (aws_secret, "aws_secret_access_key = {}", "AWS"),
    # cloud.google.com, “Manage API keys”: AIza and 35 URL-safe characters; OAuth client secret GOCSPX- and 28
    "google-api-key": (of("AI" + "za", (35, URL_SAFE)), "key={}", "Google"),
    "google-client-secret": (of("GOC" + "SPX-", (28, URL_SAFE)), '"client_secret":"{}"', "Google"),
    "azure-storage": (azure_storage, "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x", "Azure Storage"),
    # docs.sendgrid.com, “API keys”: SG., 22, ., 43 (Base64url of 16 and 32 bytes)
    "sendgrid": (
        lambda c: "SG" + ".{}.{}".format(*(base64.urlsafe_b64encode(c.randbytes(n)).decode().rstrip("=") for n in (16, 32))),
        "key: {}",
        "SendGrid",
    ),
    # www.twilio.com/docs/glossary/what-is-a-sid: two letters and 32 hexadecimal digits
    "twilio": (of("S" + "K", (32, HEX)), "twilio = {}", "Twilio"),
    # docs.digitalocean.com, “How to create a personal access token”: dop_v1_ and 64 hexadecimal digits
    "digitalocean": (of("do" + "p_v1_", (64, HEX)), "{}", "DigitalOcean"),
    # huggingface.co/docs/hub/security-tokens: hf_ and 34 letters
    "huggingface": (of("h" + "f_", (34, string.ascii_letters)), "{}", "Hugging Face"),
    # platform.openai.com: the middle of every key is the Base64 of “OpenAI”
    "openai-project": (
        lambda c: "sk-" + "proj-" + draw(c, 74, URL_SAFE) + base64.b64encode(b"OpenAI").decode() + draw(c, 74, URL_SAFE),
        "{}",
        "OpenAI",
    ),
    "openai-old": (lambda c: "sk" + "-" + draw(c, 20) + base64.b64encode(b"OpenAI").decode() + draw(c, 20), "{}", "OpenAI"),
    # docs.anthropic.com: sk-ant-api03-, 93 URL-safe characters, AA
    "anthropic": (of("sk-" + "ant-api03-", (93, URL_SAFE), "AA"), "{}", "Anthropic"),
    "nats-user-seed": (nkey, "seed {}", "NATS"),
    "age": (bech32_age, "{}", "age"),
    # developer.hashicorp.com/vault/docs/concepts/tokens: hvs. and 24 or more characters
    "vault": (of("hv" + "s.", (24, BASE62)), "VAULT_TOKEN={}", "HashiCorp Vault"),
    # shopify.dev: shpat_ and 32 hexadecimal digits
    "shopify": (of("shp" + "at_", (32, HEX)), "{}", "Shopify"),
    # docs.docker.com, access tokens: dckr_pat_ and 27 URL-safe characters
    "docker": (of("dckr" + "_pat_", (27, URL_SAFE)), "docker login -p {}", "Docker Hub"),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_token_of_the_published_format_is_known_as_its_providers(name: str, scan: Scan, chance: random.Random) -> None:
    generator, line, provider = PUBLISHED[name]
    for _ in range(6):
        token = generator(chance)
        content = line.format(token)
        column = content.index(token) + 1
        found = [s for s in scan(content + "\n") if s.span and s.span.start_column <= column < s.span.end_column]
        assert [dict(s.notes).get("provider") for s in found] == [provider], [str(s.rule) for s in found]
        assert found[0].confidence is Confidence.HIGH


@pytest.mark.parametrize("name", ["github-personal", "npm", "nats-user-seed"])
def test_a_published_checksum_tells_a_typing_error(name: str, scan: Scan, chance: random.Random) -> None:
    generator, line, provider = PUBLISHED[name]
    token = generator(chance)
    spoilt = token[:12] + ("B" if token[12] != "B" else "C") + token[13:]
    ours = [s for s in scan(line.format(spoilt) + "\n") if dict(s.notes).get("provider") == provider]
    assert [s.confidence for s in ours] in ([Confidence.LOW], [])
