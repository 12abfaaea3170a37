"""Every rule of the Dockerfile check finds its true sample and leaves its false one alone."""

from __future__ import annotations

import pytest

from assaymark.checks.infrastructure.workloads.dockerfile import make
from assaymark.checks.infrastructure.workloads.dockerfile_document import expand, read
from assaymark.checks.infrastructure.workloads.dockerfile_rules import RULES
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import Sighting
from assaymark.model.rules import catalogue

CHECK = make(CheckSettings(cache_dir="", installation_key=Secret(b"k")))
DIGEST = "sha256:" + "0" * 64
COMMIT = "0" * 40


def outcome(text: str | bytes) -> Outcome:
    content = text.encode() if isinstance(text, str) else text
    ((_, found),) = CHECK.run([Input(sha256(content), Dialect("dockerfile"), (Part("", content),))])
    return found


def sightings(text: str) -> tuple[Sighting, ...]:
    found = outcome(text)
    assert isinstance(found, Checked), found
    return found.sightings


def rules_of(text: str) -> set[str]:
    return {sighting.rule.removeprefix("dockerfile/") for sighting in sightings(text)}


def image(*lines: str, base: str = f"registry.example/base:1@{DIGEST}", user: str = "USER 10001") -> str:
    return "\n".join([f"FROM {base}", *lines, user, ""])


def run(command: str) -> str:
    return image(f"RUN {command}")


SAMPLES: list[tuple[str, str, str]] = [
    ("image-unpinned", image(base="python"), image(base="python:3.13")),
    ("image-unpinned", "ARG T=latest\n" + image(base="python:${T}"), "ARG T\n" + image(base="python:${T}")),
    ("image-unpinned", image("COPY --from=a/b:latest /a /b"), "FROM a:1 AS a\n" + image("COPY --from=a /a /b")),
    ("image-without-digest", image(base="python:3.13"), image(base="scratch")),
    ("frontend-unpinned", "# syntax=example/frontend:latest\n" + image(), "# syntax=docker/dockerfile:1\n" + image()),
    ("root-user", image(user="USER root"), image()),
    ("root-user", "FROM a:1 AS base\nUSER 0\nFROM base\nRUN make\n", "FROM a:1 AS base\nUSER 0\nFROM base\nUSER app\n"),
    ("root-user", image("ARG U=root", user="USER $U"), image("ARG U", user="USER $U")),
    ("user-unset", image(base="python:3.13", user=""), image(base="gcr.io/distroless/static:nonroot", user="")),
    ("base-unmaintained", image(base="python:3.7-slim"), image(base="python:3.13-slim")),
    ("base-unmaintained", image(base="library/debian:stretch"), image(base="debian:trixie")),
    ("remote-access-port", image("EXPOSE 22/tcp"), image("EXPOSE 8080")),
    ("remote-access-port", image('CMD ["/usr/sbin/sshd", "-D"]'), image('CMD ["/usr/bin/shop"]')),
    ("authentication-off", image("ENV POSTGRES_HOST_AUTH_METHOD=trust"), image("ENV POSTGRES_HOST_AUTH_METHOD=scram-sha-256")),
    ("authentication-off", image('CMD ["redis-server", "--protected-mode", "no"]'), image('CMD ["redis-server", "/etc/redis.conf"]')),
    ("authentication-off", image("CMD jupyter lab --ServerApp.token=''"), image("CMD jupyter lab --ServerApp.port=8888")),
    ("debug-enabled", image("ENV FLASK_DEBUG 1"), image("ENV FLASK_DEBUG 0")),
    ("insecure-build", image("RUN --security=insecure make"), image("RUN --mount=type=cache,target=/c make")),
    ("insecure-build", image("RUN --network=host make"), image("RUN --network=none make")),
    ("container-socket", image("VOLUME /var/run/docker.sock"), image("VOLUME /data")),
    ("secret-file", image("COPY .env /app/"), image("COPY .env.example /app/")),
    ("secret-file", image('ADD ["id_rsa", "/root/.ssh/"]'), image("COPY id_rsa.pub /a")),
    ("secret-argument", image("ARG NPM_TOKEN"), image("ARG NPM_TOKEN_FILE")),
    ("secret-argument", image("ENV API_KEY=$API_KEY"), image("ENV API_KEY=")),
    ("remote-add", image("ADD https://a.example.org/x.tgz /"), image(f"ADD --checksum={DIGEST} https://a.example.org/x.tgz /")),
    ("remote-add", image("ADD https://a.example.org/x.git#main /"), image(f"ADD https://a.example.org/x.git#{COMMIT} /")),
    ("add-for-copy", image("ADD src /src"), image("ADD src.tar.gz /src")),
    ("world-writable", image("COPY --chmod=777 a /a"), image("COPY --chmod=755 a /a")),
    ("world-writable", run("chmod -R a+rwx /srv"), run("chmod 1777 /srv/drop && chmod u+w /a")),
    ("world-writable", run("chmod 0666 /etc/x"), run("chmod 0644 /etc/x")),
    ("context-copied", image("COPY . /app"), image("COPY src /app")),
    ("sudo", run("sudo make install"), run("apt-get install sudo=1")),
    (
        "sudo-without-password",
        run("echo 'app ALL=(ALL) NOPASSWD:ALL' >> /etc/sudoers"),
        run("echo 'app ALL=(ALL) NOPASSWD: /bin/ls' >> /etc/sudoers"),
    ),
    ("password-set", run("echo 'root:x' | chpasswd"), run("useradd app")),
    ("password-set", run("passwd -d root"), run("passwd -l root")),
    ("setuid", run("chmod u+s /bin/x"), run("chmod u+x /bin/x")),
    ("setuid", run("chmod 4755 /bin/x"), run("chmod 0755 /bin/x")),
    ("apt-key", run("apt-key add key.asc"), run("gpg --dearmor -o /etc/apt/keyrings/x.gpg key.asc")),
    (
        "second-index",
        run("pip install --extra-index-url https://a.example.org x==1"),
        run("pip install --index-url https://a.example.org x==1"),
    ),
    ("key-in-image", run("ssh-keygen -A"), run("ssh-keygen -F host")),
    ("key-in-image", run("openssl req -x509 -newkey rsa:4096 -nodes"), run("openssl dgst -sha256 x")),
    ("system-upgraded", run("apt-get dist-upgrade -y"), run("apt-get upgrade -y")),
    ("package-unpinned", run("apt-get install -y --no-install-recommends curl"), run("apt-get install -y curl=8.1-1")),
    (
        "package-unpinned",
        run("pip install flask"),
        run("pip install flask==3.0 && pip install -r r.txt && pip install . && pip install --upgrade pip"),
    ),
    ("package-unpinned", run("npm install -g typescript"), run("npm install -g typescript@5.1.0 && npm ci")),
    ("package-unpinned", run("gem install rails"), run("gem install rails:7.1.0 && gem install -v 7.1 rails")),
    ("package-unpinned", run("go install example.org/a@latest"), run("go install example.org/a@v1.2.3")),
    ("package-unpinned", run("cargo install ripgrep"), run("cargo install ripgrep --version 14.1.0 --locked")),
    ("package-unpinned", run("apk add --no-cache --virtual .build curl"), run("apk add --no-cache --virtual .build curl=8.1-r0")),
    ("lists-alone", run("apt-get update"), run("apt-get update && apt-get install -y curl=8")),
    ("failure-hidden", run("curl https://a.example.org/x | tar x"), run("set -o pipefail; curl https://a.example.org/x | tar x")),
    (
        "failure-hidden",
        run("wget -qO- https://a.example.org/x | tar x"),
        image('SHELL ["/bin/bash", "-o", "pipefail", "-c"]', "RUN curl https://a.example.org/x | tar x"),
    ),
    ("open-docker", image("ENV DOCKER_HOST=tcp://docker:2375"), image("ENV DOCKER_HOST=tcp://docker:2376")),
    ("remote-script", run("curl -sSL https://a.example.org/x | bash"), run("curl -sSL https://a.example.org/x -o x")),
    (
        "unverified-program",
        run("curl -o t https://a.example.org/t && chmod +x t"),
        run("curl -o t https://a.example.org/t && sha256sum -c s && chmod +x t"),
    ),
    ("cleartext-download", run("wget http://a.example.org/x"), run("wget https://a.example.org/x")),
    ("cleartext-download", run("git clone git://a.example.org/x"), run("git clone https://a.example.org/x")),
    ("cleartext-download", run("pip install -i http://a.example.org/simple x==1"), run("pip install -i http://localhost/simple x==1")),
    ("verification-off", run("curl -k https://a.example.org"), run("curl https://a.example.org")),
    ("verification-off", image("ENV NODE_TLS_REJECT_UNAUTHORIZED=0"), image("ENV NODE_TLS_REJECT_UNAUTHORIZED=1")),
    ("package-check-off", run("apk add --allow-untrusted x=1"), run("apk add x=1")),
    ("package-check-off", run("rpm -i --nosignature x.rpm"), run("rpm -i x.rpm")),
    (
        "package-check-off",
        run("echo 'deb [trusted=yes] http://a/ x main' > /etc/apt/sources.list.d/x"),
        run("echo 'deb [signed-by=/k] https://a/ x main' > l"),
    ),
    ("host-key-unchecked", run("echo 'StrictHostKeyChecking no' >> /root/.ssh/config"), run("ssh-keyscan h >> /root/.ssh/known_hosts")),
    ("password-argument", run("docker login -u a -p $P r.example"), run("docker login -u a --password-stdin r.example < f")),
    ("secret-printed", run("echo $API_TOKEN"), run("echo $API_TOKEN > /run/t")),
    ("environment-dumped", run("printenv"), run("printenv HOME")),
    ("traced-secret", run('set -x; deploy "$API_TOKEN"'), run('deploy "$API_TOKEN"')),
    ("scanner-cannot-fail", run("trivy fs / || true"), run("trivy fs /")),
]


def test_every_rule_of_dockerfiles_has_a_sample() -> None:
    assert {rule for rule, _, _ in SAMPLES} | {"open-docker"} == set(RULES)


@pytest.mark.parametrize(("rule", "bad", "good"), SAMPLES, ids=[f"{rule}-{n}" for n, (rule, _, _) in enumerate(SAMPLES)])
def test_dockerfile_rule_finds_the_bad_sample_and_leaves_the_good_one(rule: str, bad: str, good: str) -> None:
    assert rule in rules_of(bad)
    assert rule not in rules_of(good)


def test_dockerfile_rules_and_the_shipped_data_say_the_same() -> None:
    shipped = {r.removeprefix("dockerfile/"): info for r, info in catalogue().rules.items() if r.startswith("dockerfile/")}
    assert {n: (i.severity, i.confidence) for n, i in shipped.items()} == {n: (r.severity, r.confidence) for n, r in RULES.items()}


def test_dockerfile_a_careful_file_is_clean() -> None:
    text = f"""# syntax=docker/dockerfile:1
FROM registry.example/python:3.13@{DIGEST} AS build
RUN --mount=type=cache,target=/root/.cache pip install --require-hashes -r requirements.txt
FROM registry.example/python:3.13@{DIGEST}
COPY --from=build --chown=root:root /srv /srv
USER 10001
CMD ["python", "-m", "shop"]
"""
    assert outcome(text) == Checked()


def test_dockerfile_continuations_comments_and_documents_keep_their_places() -> None:
    text = image(
        "RUN apt-get update && \\",
        "    # why not",
        "",
        "    make && \\",
        "    curl -k https://a.example.org",
        "run <<EOF",
        "set -e",
        "wget --no-check-certificate https://a.example.org",
        "EOF",
        "RUN cat <<'A' > /x && curl -k \\",
        "   https://b.example.org",
        "FROM nothing",
        "A",
    )
    found = [each for each in sightings(text) if each.rule == "dockerfile/verification-off"]
    assert [(s.span.start_line, s.span.start_column) for s in found if s.span] == [(6, 5), (9, 1), (11, 23)]
    assert len(sightings(text)) == 3


def test_dockerfile_the_escape_directive_is_obeyed() -> None:
    assert rules_of("# escape=`\n" + image("RUN curl -k `", "    https://a.example.org", "COPY a C:\\")) == {"verification-off"}


def test_dockerfile_steps_of_other_shells_are_no_shell_text() -> None:
    assert rules_of(image('SHELL ["powershell", "-Command"]', "RUN curl -k https://a.example.org | sh")) == set()
    assert rules_of(image('RUN ["sh", "-c", "curl -k https://a.example.org"]')) == {"verification-off"}


def test_dockerfile_address_holds_stage_and_kind_but_no_version() -> None:
    found = sightings("FROM python:3.7 AS build\nRUN curl https://a.example.org/v1.2.3/x | sh\nFROM scratch\n")
    sites = {(each.rule, each.site.resource, each.site.attribute) for each in found}  # type: ignore[union-attr]
    assert sites == {
        ("dockerfile/base-unmaintained", "stage build", "FROM: python"),
        ("dockerfile/image-without-digest", "stage build", "FROM: python"),
        ("dockerfile/remote-script", "stage build", "RUN: https://a.example.org/*/x"),
        ("dockerfile/user-unset", "image", "USER"),
    }


@pytest.mark.parametrize(
    "comment",
    [
        "# hadolint ignore=DL3007",
        "# hadolint ignore=DL3000,DL3007",
        "# hadolint global ignore=DL3007",
        "# checkov:skip=CKV_DOCKER_7:reviewed",
        "# trivy:ignore:AVD-DS-0001",
        "# trivy:ignore:DS001",
        "# kics-scan ignore-line",
        "# assay:allow[image-unpinned]",
    ],
)
def test_dockerfile_comments_of_other_tools_are_recorded(comment: str) -> None:
    (only,) = [each for each in sightings(f"{comment}\n" + image(base="python:latest")) if each.rule == "dockerfile/image-unpinned"]
    assert only.suppression is not None
    assert (only.suppression.marker, only.suppression.line) == (comment, 1)


def test_dockerfile_a_comment_about_another_instruction_does_not_count() -> None:
    text = image("# hadolint ignore=DL3004", "RUN make", "RUN sudo make")
    assert [each.suppression for each in sightings(text)] == [None]
    (whole,) = sightings(image("RUN sudo make", "# checkov:skip=CKV2_DOCKER_1:reviewed"))
    assert whole.suppression is not None
    (docker,) = sightings("# check=skip=SecretsUsedInArgOrEnv\n" + image("ARG NPM_TOKEN"))
    assert docker.suppression is not None


def test_dockerfile_the_replacement_is_the_word_at_its_place() -> None:
    (only,) = sightings(image("ADD src /src"))
    assert only.span is not None
    assert only.fix is not None
    assert (only.span.start_line, only.span.start_column, only.span.end_column, only.fix.replacement) == (2, 1, 4, "COPY")


def test_dockerfile_variables_are_filled_in_as_docker_does() -> None:
    known = {"A": "x", "B": ""}
    assert expand("$A ${A} ${B:-y} ${C:-z} ${A:+w} ${C:+w} \\$A $C", known) == "x x y z w  \\$A $C"
    file = read("ARG V=1\nFROM a:$V\nARG V\nENV W=${V}2 X='3 4'\nRUN x\n")
    assert file is not None
    assert file.stages[0].base == "a:1"
    assert file.stages[0].environment == {"V": "1", "W": "12", "X": "3 4"}


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b"FROM a:1\nHELLO world\n", "syntax", 2),
        (b"FROM a:1\nRUN <<EOF\nmake\n", "syntax", 2),
        (b"FROM a:1\nRUN \xff\n", "encoding", 2),
        (b"FROM a:1\n" * 6_000, "size", 5_001),
        (b"FROM a:1\n#" + b"x" * 2_000_000, "size", 0),
        (b"FROM a:1\n" + b"EXPOSE " + b"22 " * 3_000, "size", 0),
    ],
    ids=["no-instruction", "open-document", "latin-1", "instruction-flood", "megabytes", "flaw-flood"],
)
def test_dockerfile_what_cannot_be_read_is_unchecked_with_its_line(content: bytes, reason: str, line: int) -> None:
    found = outcome(content)
    assert isinstance(found, Unchecked), found
    assert (found.reason_class, found.line) == (reason, line), found


def test_dockerfile_text_of_a_template_engine_is_passed_over() -> None:
    assert rules_of("{% if x %}\n" + image("{{ more }}", base="python:latest") + "{% endif %}\n") == {"image-unpinned"}
    assert outcome("# nothing\n\n") == Checked(skipped="empty")


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("Dockerfile", "dockerfile"),
        ("a/dockerfile", "dockerfile"),
        ("Containerfile", "dockerfile"),
        ("a/Dockerfile.dev", "dockerfile"),
        ("a/web.Dockerfile", "dockerfile"),
        ("a/Dockerfile-alpine", "dockerfile"),
        ("a/web_dockerfile", "dockerfile-perhaps"),
        ("Dockerfile.json.golden", "dockerfile-perhaps"),
        ("Dockerfile.dockerignore", None),
        ("Dockerfile.md", None),
        ("dockerfile.go", None),
        ("a/dockerfile_test.py", None),
        ("files", None),
    ],
)
def test_dockerfiles_are_selected_by_name(path: str, dialect: str | None) -> None:
    assert CHECK.select(path) == dialect


def test_dockerfile_of_a_doubtful_name_is_told_by_its_first_instruction() -> None:
    for content, skipped in ((b"{}", "other-format"), (b"# c\nfrom scratch\n", "")):
        ((_, found),) = CHECK.run([Input(sha256(content), Dialect("dockerfile-perhaps"), (Part("", content),))])
        assert isinstance(found, Checked)
        assert found.skipped == skipped
