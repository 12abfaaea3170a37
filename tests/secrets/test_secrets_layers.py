"""The layers beside provider rules: what they find, with which rule, and what they leave alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from assaymark.checks.application.secrets.validation import luhn
from assaymark.model.finding import Sighting, Span
from assaymark.model.severity import Confidence

Scan = Callable[..., tuple[Sighting, ...]]


def rules_of(sightings: tuple[Sighting, ...]) -> list[str]:
    return [str(s.rule) for s in sightings]


GENERIC = [
    ("code", 'password = "{}"', "password"),
    ("code", 'db_password: str = "{}"', "password"),
    ("code", "const apiSecret = '{}';", "secret"),
    ("code", 'connect(user="bob", password="{}")', "password"),
    ("code", '{{"client_secret": "{}"}}', "secret"),
    ("config", "DB_PASSWORD={}", "password"),
    ("config", "auth_token = {}", "token"),
    ("yaml", "  password: {}", "password"),
    ("xml", "<password>{}</password>", "password"),
    ("shell", "deploy --password {} --host h", "password"),
    ("shell", "export ADMIN_PASSWORD='{}'", "password"),
    ("properties", "spring.datasource.password={}", "password"),
    ("json", '{{"name": "DB_PASSWORD", "value": "{}"}}', "password"),
    ("xml", '<add key="DbPassword" value="{}"/>', "password"),
]


@pytest.mark.parametrize(("dialect", "line", "rule"), GENERIC)
def test_a_password_is_found_in_every_way_of_writing(dialect: str, line: str, rule: str, scan: Scan, maker: Any) -> None:
    value = maker.password()
    found = scan(line.format(value) + "\n", dialect)
    assert len(found) == 1, rules_of(found)
    assert found[0].span is not None
    column = line.format(value).index(value) + 1
    assert found[0].span == Span(1, column, 1, column + len(value))


HARMLESS = [
    ("code", 'password = os.environ["DB_PASSWORD"]'),
    ("code", 'password = getpass("Password: ")'),
    ("code", 'password = "${DB_PASSWORD}"'),
    ("code", 'password = "{{ db_password }}"'),
    ("code", 'password = "%(password)s"'),
    ("code", 'password = "changeme"'),
    ("code", 'password = "xxxxxxxxxxxx"'),
    ("code", 'token = "<your-token-here>"'),
    ("code", 'api_key = "your-api-key"'),
    ("code", "password = get_password(user)"),
    ("code", "password = self.password"),
    ("code", "if token == null {"),
    ("config", "password = ${PASSWORD}"),
    ("config", "password = %PASSWORD%"),
    ("yaml", "password: '{{ vault_password }}'"),
    ("yaml", "token: null"),
    ("lock", '"integrity": "sha512-' + "A" * 40 + 'b3+/=="'),
    ("lock", 'token = "' + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b" + '"'),
    ("messages", "login.password=Passwort vergessen?"),
    ("json", '{"password": "string"}'),
    ("shell", "mysql -p$PASSWORD"),
    ("text", "https://$USER:$TOKEN@example.com/x"),
    ("text", "https://{user}:{password}@example.com/x"),
    ("text", "postgres://user:${PW}@db/x"),
    ("code", "$pw = getenv('DB_PASSWORD') ?: throw new RuntimeException('DB_PASSWORD is not set');"),
    ("text", "$password = getenv('DB_PASSWORD') ?: throw new X('DB');"),
    ("code", "    X_PASSWORD = credentials('some-id')"),
    ("code", "    DOCKER_TOKEN = credentials('docker-hub-token-prod')"),
    ("code", 'password = ENV.fetch("DB_PASSWORD_2")'),
    ("text", "Passwords: Argon2id (or bcrypt with cost 12) only."),
    ("text", "psql --password-encryption=scram-sha-256"),
    ("text", "- Passwords: Argon2id (or …"),
    ("config", "password_hashing = PBKDF2-SHA256"),
    ("text", "git clone https://user:…@host/x"),
    ("text", "git clone https://user:...@host/x"),
    ("text", "git clone https://user:abc…@github.com/x"),
    ("text", "postgres://user:***@host/db"),
    ("text", "postgres://user:PASSWORD@host/db"),
    ("text", "https://username:your_token@github.com/x"),
    ("code", '_PASSWORD = re.compile(rb"(?P<name>[^:\\r\\n]+):(?P<hash>.{8,200})", re.M)'),
    ("code", 'const tokenShape = new RegExp("^x9Kq7[A-Z]{2}vR4t$")'),
    ("code", "var keyLine = regexp.MustCompile(`^K3y=([a-z0-9]{32})$`)"),
    ("code", 'SHAPE = "token[=:](?P<secret>[0-9a-f]{32}Xq)"'),
    ("code", 'READERS = {"htpasswd": "htpasswd", "pgpass": "pgpass"}'),
    ("text", "| 0 | pass: nothing got worse |"),
    ("shell", 'grep -E "mysqldump .* -p[0-9a-zA-Z]{8}" history'),
    ("code", 'OAuth oauth_nonce="8f2kq0Zp3", oauth_timestamp="1327204800"'),
]


@pytest.mark.parametrize(("dialect", "line"), HARMLESS)
def test_variables_templates_placeholders_and_checksums_are_no_findings(dialect: str, line: str, scan: Scan) -> None:
    assert rules_of(scan(line + "\n", dialect)) == []


def test_the_password_of_an_address_is_found_and_weak_ones_are_low(scan: Scan, maker: Any) -> None:
    (strong,) = scan(f"url = 'postgres://app:{maker.password()}@db.acme.io/main'", "code")
    (weak,) = scan("url = 'postgres://postgres:postgres@localhost/main'", "code")
    assert (strong.rule, strong.confidence) == ("secrets/url-credential", Confidence.HIGH)
    assert (weak.rule, weak.confidence) == ("secrets/url-credential", Confidence.LOW)


def test_a_stand_in_password_of_a_real_account_is_still_told(scan: Scan) -> None:
    (found,) = scan("url = 'postgres://admin:password@db.acme.io/main'", "code")
    assert (found.rule, found.confidence) == ("secrets/url-credential", Confidence.LOW)


def test_the_password_of_a_second_argument_is_found_although_the_first_is_a_name(scan: Scan, maker: Any) -> None:
    assert rules_of(scan(f'x = os.environ.get("DB_PASSWORD", "{maker.password()}")', "code")) == ["secrets/password"]


@pytest.mark.parametrize("call", ['os.getenv("API_TOKEN", "%s")', "config.get('db_password', '%s')", 'ENV.fetch("SECRET_KEY", "%s")'])
def test_what_is_taken_when_a_name_is_not_set_is_a_credential(call: str, scan: Scan, maker: Any) -> None:
    (found,) = scan(f"x = {call % maker.password()}\n", "code")
    assert found.confidence.rank >= Confidence.MEDIUM.rank


def test_two_tokens_of_one_address_are_two_findings_with_the_values_that_stand_alone(scan: Scan, maker: Any) -> None:
    one, two = maker.word(40), maker.word(40)
    joined = scan(f"https://site.acme.io/x?oauth_token={one}&oauth_token_secret={two}\n", "text")
    alone = [found for value in (one, two) for found in scan(f'oauth_token = "{value}"\n', "code")]
    assert [f.site.value_hmac for f in joined] == [f.site.value_hmac for f in alone]  # type: ignore[union-attr]
    assert all(f.rule == "secrets/token" and dict(f.notes).get("provider") is None for f in joined)


def test_a_bracket_around_a_value_is_none_of_it(scan: Scan, maker: Any) -> None:
    value = maker.word(40)
    (inside,) = scan(f"other: {{token: {value}}}\n", "yaml")
    (plain,) = scan(f"token: {value}\n", "yaml")
    assert inside.site.value_hmac == plain.site.value_hmac  # type: ignore[union-attr]


@pytest.mark.parametrize("key", ["aws_secret_access_key", "AWS_SECRET_KEY", "amazonSecret", '"SecretAccessKey"', "aws.secretKey"])
def test_forty_characters_under_a_name_of_aws_are_of_aws(key: str, scan: Scan, maker: Any) -> None:
    (found,) = scan(f'{key}: "{maker.word(40)}"\n', "text")
    assert (found.rule, dict(found.notes)) == ("secrets/aws-secret-access-key", {"provider": "AWS"})


@pytest.mark.parametrize("key", ["oauth_token_secret", "client_secret", "secret", "secret_key"])
def test_forty_characters_under_any_other_name_are_of_nobody_in_particular(key: str, scan: Scan, maker: Any) -> None:
    (found,) = scan(f'{key} = "{maker.word(40)}"\n', "code")
    assert found.rule in {"secrets/token", "secrets/secret", "secrets/key"}
    assert found.fix is not None
    assert "AWS" not in found.fix.advice


def test_a_basic_header_is_decoded_before_it_counts(scan: Scan, maker: Any) -> None:
    assert "secrets/authorization-header" in rules_of(scan(f'"Authorization": "Basic {maker.basic()}"', "code"))
    assert rules_of(scan('"Authorization": "Basic AAAAAAAAAAAAAAAA"', "code")) == []


def test_command_lines_of_database_clients_and_curl_are_read(scan: Scan, maker: Any) -> None:
    assert rules_of(scan(f"mysql -u root -p{maker.password()} shop", "shell")) == ["secrets/command-line-password"]
    assert rules_of(scan(f"curl -u deploy:{maker.password()} https://x", "shell")) == ["secrets/command-line-password"]


def pem(label: str, body: bytes, joint: str = "\n") -> str:
    text = base64.b64encode(body).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return joint.join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])


def der(maker: Any, size: int = 300) -> bytes:
    body = bytes(maker.random.randrange(256) for _ in range(size))
    return b"\x30\x82" + size.to_bytes(2, "big") + body


@pytest.mark.parametrize("joint", ["\n", "\\n", '\\n" +\n  "', "\r\n", "\n    "])
def test_a_private_key_is_one_finding_however_it_is_wrapped(joint: str, scan: Scan, maker: Any) -> None:
    body = der(maker)
    plain = scan(pem("RSA PRIVATE " + "KEY", body))
    wrapped = scan(pem("RSA PRIVATE " + "KEY", body, joint))
    assert rules_of(wrapped) == ["secrets/private-key"]
    assert wrapped[0].confidence is Confidence.HIGH
    assert wrapped[0].site == msg_with_context(wrapped[0], plain[0])


@pytest.mark.parametrize("joint", ["\n", "\\n"])
@pytest.mark.parametrize("before", ["", 'key = """', '"private_key": "'])
def test_a_private_key_is_shown_by_its_heading(before: str, joint: str, scan: Scan, maker: Any) -> None:
    (found,) = scan(before + pem("RSA PRIVATE " + "KEY", der(maker), joint) + '"\n', "text")
    assert found.site.context == before + "-----BEGIN RSA PRIVATE " + "KEY----- ******"  # type: ignore[union-attr]


def msg_with_context(one: Sighting, other: Sighting) -> Any:
    """The other's site with the first one's context: identities must be equal, contexts may differ."""
    return msgspec.structs.replace(other.site, context=one.site.context)  # type: ignore[union-attr]


def test_public_keys_and_certificates_are_no_secrets(scan: Scan, maker: Any) -> None:
    assert scan(pem("PUBLIC KEY", der(maker))) == ()
    assert scan(pem("CERTIFICATE", der(maker))) == ()
    assert scan("-----BEGIN RSA PRIVATE " + "KEY-----\n...\n-----END RSA PRIVATE " + "KEY-----\n") == ()


def test_keys_under_a_passphrase_are_told_apart(scan: Scan, maker: Any) -> None:
    assert rules_of(scan(pem("ENCRYPTED PRIVATE " + "KEY", der(maker)))) == ["secrets/encrypted-private-key"]
    openssh = b"openssh-key-v1\0" + (4).to_bytes(4, "big") + b"none" + der(maker)
    assert rules_of(scan(pem("OPENSSH PRIVATE " + "KEY", openssh))) == ["secrets/private-key"]
    locked = b"openssh-key-v1\0" + (10).to_bytes(4, "big") + b"aes256-ctr" + der(maker)
    assert rules_of(scan(pem("OPENSSH PRIVATE " + "KEY", locked))) == ["secrets/encrypted-private-key"]


def jwt(payload: dict[str, object], signature: str) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in ({"alg": "HS256", "typ": "JWT"}, payload)]
    return ".".join([*parts, signature])


def test_a_web_token_tells_its_algorithm_and_expiry_without_a_clock(scan: Scan, maker: Any) -> None:
    (found,) = scan(f"curl -H 'X: {jwt({'sub': 'u-7', 'exp': 1700000000}, maker.word(43))}'", "shell")
    assert found.rule == "secrets/json-web-token"
    assert dict(found.notes) == {"algorithm": "HS256", "expires": "1700000000"}
    (known,) = scan(jwt({"sub": "1234567890", "name": "John Doe"}, maker.word(43)))
    assert known.confidence is Confidence.LOW


@pytest.mark.parametrize("head", ["$2b" + "$12$", "$2y" + "$10$"])
def test_a_password_hash_is_found(head: str, scan: Scan, maker: Any) -> None:
    assert rules_of(scan(f"admin: {head}{maker.word(53)}\n")) == ["secrets/password-hash"]


def card(maker: Any) -> str:
    digits: str = "45" + maker.word(13, "0123456789")
    return next(digits + last for last in "0123456789" if luhn(digits + last))


def test_a_card_number_needs_a_right_check_digit_and_published_test_numbers_are_left_alone(scan: Scan, maker: Any) -> None:
    number = card(maker)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert rules_of(scan(f"credit card: {number}\n")) == ["secrets/payment-card"]
    assert scan(f"credit card: {wrong}\n") == ()
    assert scan("credit card: 4111 1111 1111 1111\n") == ()
    grouped = " ".join(number[i : i + 4] for i in range(0, 16, 4))
    (bare,) = scan(f"call {grouped} now\n")
    assert bare.confidence is Confidence.LOW


def test_a_token_inside_base64_is_found(scan: Scan, maker: Any) -> None:
    text = base64.b64encode(f"export TOKEN={maker.github()}; run".encode()).decode()
    found = scan(f"data: {text}\n", "yaml")
    assert any(s.rule == "secrets/github-token" and ("encoding", "base64") in s.notes for s in found)


MARKERS = [
    "# nosec",
    "# noqa: S105",
    "// gitleaks:allow",
    "# betterleaks:allow",
    "# trufflehog:ignore",
    "# pragma: allowlist secret",
    "# kingfisher:ignore",
    "# nosemgrep: python.secrets",
    "# assay:allow",
]


@pytest.mark.parametrize("marker", MARKERS)
def test_an_inline_comment_is_recorded_and_the_sighting_still_given(marker: str, scan: Scan, maker: Any) -> None:
    (found,) = scan(f'x = 1\npassword = "{maker.password()}"  {marker}\n', "code")
    assert found.suppression is not None
    assert found.suppression.line == 2
    assert found.suppression.marker.split(":")[0].lstrip("#/ ") in marker


def test_a_comment_for_the_next_line_speaks_for_the_next_line_only(scan: Scan, maker: Any) -> None:
    first, second = scan(
        f'# pragma: allowlist nextline secret\npassword = "{maker.password()}"\nother_password = "{maker.password()}"\n', "code"
    )
    assert first.suppression is not None
    assert first.suppression.line == 1
    assert second.suppression is None


def test_one_value_is_one_sighting_of_the_most_specific_rule(scan: Scan, maker: Any) -> None:
    (found,) = scan(f'github_token = "{maker.github()}"\n', "code")
    assert found.rule == "secrets/github-token"


@pytest.mark.parametrize(
    ("dialect", "line"),
    [
        ("code", "PRIMARY KEY (`col_eniifaecwj`),"),
        ("code", '"./password.svg":"dcf8a91b"'),
        ("code", 'headers = {"Authorization": "Bearer " + token}'),
    ],
)
def test_columns_file_names_and_joined_headers_are_no_findings(dialect: str, line: str, scan: Scan) -> None:
    assert rules_of(scan(line + "\n", dialect)) == []


def test_a_bearer_token_in_a_list_of_headers_is_found(scan: Scan, maker: Any) -> None:
    assert rules_of(scan(f"headers:\n  - Bearer {maker.word(64, '0123456789abcdef')}\n", "yaml")) == ["secrets/authorization-header"]
