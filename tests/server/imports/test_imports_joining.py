"""The same weakness from two tools is one finding with two witnesses, and what is not the same stays two."""

from __future__ import annotations

from tests.server.imports.import_samples import (
    KEY,
    SOURCE,
    alert,
    by,
    findings,
    gitleaks,
    grype,
    osv,
    sample,
    snyk,
    spoken,
    trivy,
    trivy_packages,
    world,
    zap,
)

from assaymark.checks.application.secrets.check import make
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, Kind, Layer, SecretSite
from assaymark.model.identity import Seen, identify
from assaymark.model.rules import catalogue

CODE = {"code/app.py": SOURCE}
TOKEN = "AK" + "IA" + "Q3EGRIHZKW5MTXYB"
LINE = f'AWS_ACCESS_KEY_ID = "{TOKEN}"\n'.encode()


def test_bandit_and_semgrep_over_one_file_agree() -> None:
    found = findings(sample("bandit-1"), sample("semgrep-2"), given=world(CODE))
    both = [each for each in found if len({witness.check for witness in each.witnesses}) == 2]
    assert sorted(each.core.rule_class for each in both) == ["command-injection", "unsafe-deserialisation"]
    assert len(found) == 5
    assert by(both) == [("import/bandit", "import/semgrep")] * 2


def test_bandit_with_absolute_paths_is_about_the_same_file() -> None:
    first, second = (findings(sample(f"bandit-{number}"), given=world(CODE)) for number in (1, 2))
    assert [(each.fingerprint, each.place) for each in first] == [(each.fingerprint, each.place) for each in second]


def test_without_the_file_the_lines_of_the_report_are_shown() -> None:
    found = findings(sample("bandit-1"))
    assert sorted(each.place.line for each in found) == [2, 8, 12, 16, 20]
    assert any("not at hand" in note for note in spoken(sample("bandit-1")).notes)


def test_trivy_and_grype_over_one_image_agree() -> None:
    purl = "pkg:apk/alpine/libcrypto3@3.1.4-r1?arch=x86_64&distro=alpine-3.18.4&upstream=openssl"
    jar = "pkg:maven/org.apache.commons/commons-text@1.9"
    from_trivy = trivy(
        trivy_packages(
            "shop:1 (alpine 3.18.4)", "alpine", ("libcrypto3", "3.1.4-r1", purl.partition("&upstream")[0], "CVE-2023-5678"), system=True
        ),
        trivy_packages("app/a.jar", "jar", ("org.apache.commons:commons-text", "1.9", "", "CVE-2022-42889")),
    )
    from_trivy["Results"][1]["Vulnerabilities"][0]["PkgPath"] = "app/a.jar"
    from_grype = grype(
        (purl, "/lib/apk/db/installed", "CVE-2023-5678", ()),
        (jar, "/app/a.jar", "GHSA-599f-7c49-w659", ("CVE-2022-42889",)),
        distro="alpine",
    )
    found = findings(from_trivy, from_grype)
    assert by(found) == [("import/grype", "import/trivy")] * 2
    assert {each.layer for each in found} == {Layer.PLATFORM, Layer.APPLICATION}


def test_four_tools_over_one_lock_file_agree() -> None:
    ids = ("GHSA-p6mc-m468-83gw", "CVE-2020-8203")
    documents = (
        trivy(trivy_packages("package-lock.json", "npm", ("lodash", "4.17.15", "", ids[1]))),
        grype(("pkg:npm/lodash@4.17.15", "/package-lock.json", ids[0], ids[1:])),
        osv("/home/me/shop/package-lock.json", ("npm", "lodash", "4.17.15", ids)),
        snyk(
            {
                "id": "SNYK-JS-LODASH-590103",
                "name": "lodash",
                "version": "4.17.15",
                "severity": "high",
                "identifiers": {"CVE": [ids[1]], "GHSA": [ids[0]]},
            }
        ),
    )
    found = findings(*documents)
    assert by(found) == [("import/grype", "import/osv-scanner", "import/snyk", "import/trivy")]
    assert found[0].place.path == "package-lock.json"


def test_npm_audit_and_osv_scanner_agree_by_the_servers_advisories() -> None:
    names = {"GHSA-p6mc-m468-83gw": "CVE-2020-8203", "GHSA-35jh-r3h4-6jhm": "CVE-2021-23337", "GHSA-xvch-5gv4-984h": "CVE-2021-44906"}
    lock = osv(
        "/src/package-lock.json",
        *(("npm", name, "1", (ghsa, cve)) for name, (ghsa, cve) in zip(("lodash", "lodash", "minimist"), names.items(), strict=True)),
    )
    found = findings(sample("npm-audit-1"), lock, given=world(names=names))
    assert by(found) == [("import/npm-audit", "import/osv-scanner")] * 3
    # npm audit names GitHub's advisory alone: without advisories nobody knows that it is the other's CVE.
    assert len(findings(sample("npm-audit-1"), lock)) == 6


def test_pip_audit_and_osv_scanner_agree() -> None:
    lock = osv(
        "/src/requirements.txt",
        ("PyPI", "jinja2", "2.10", ("PYSEC-2019-217", "CVE-2019-10906")),
        ("PyPI", "Requests", "2.19.0", ("PYSEC-2018-28", "CVE-2018-18074")),
    )
    found = findings(sample("pip-audit-1"), lock, given=world({"requirements.txt": b""}))
    assert by(found) == [("import/osv-scanner", "import/pip-audit")] * 2


def _ours(content: bytes) -> list[Seen]:
    check = make(CheckSettings(cache_dir="", installation_key=Secret(b"a key for tests only")))
    return [
        Seen(sighting, CheckId("secrets"), Layer.APPLICATION, sha256(content), "settings.py")
        for _, outcome in check.run([Input(sha256(content), Dialect("text"), (Part("", content),))])
        if isinstance(outcome, Checked)
        for sighting in outcome.sightings
    ]


def test_gitleaks_and_our_own_check_agree_on_a_value() -> None:
    foreign = spoken(gitleaks(TOKEN)).seen
    found = identify([*foreign, *_ours(LINE)], catalogue())
    assert by(found) == [("import/gitleaks", "secrets")]
    assert TOKEN not in repr(found)


def test_a_redacted_value_is_read_from_the_file_where_it_is_at_hand() -> None:
    redacted = gitleaks("REDACTED")
    told = spoken(redacted, world({"settings.py": LINE}))
    assert by(identify([*told.seen, *_ours(LINE)], catalogue())) == [("import/gitleaks", "secrets")]
    blind = spoken(redacted)
    assert any("does not tell their values" in note for note in blind.notes)
    site = blind.seen[0].sighting.site
    assert isinstance(site, SecretSite)
    assert site.key_id != KEY.id


def test_trivy_masks_values_and_joins_by_the_file() -> None:
    masked = trivy(
        {
            "Target": "settings.py",
            "Class": "secret",
            "Secrets": [
                {
                    "RuleID": "aws-access-key-id",
                    "Severity": "CRITICAL",
                    "Title": "k",
                    "StartLine": 1,
                    "EndLine": 1,
                    "Match": 'AWS_ACCESS_KEY_ID = "' + "*" * 20 + '"',
                }
            ],
        }
    )
    found = identify([*spoken(masked, world({"settings.py": LINE})).seen, *spoken(gitleaks(TOKEN)).seen], catalogue())
    assert by(found) == [("import/gitleaks", "import/trivy")]
    other = spoken(masked, world({"settings.py": b"something else\n"}))
    assert any("does not tell" in note for note in other.notes)


def test_checkov_and_trivy_agree_on_a_setting_that_our_rules_know() -> None:
    found = findings(sample("checkov-1"), sample("trivy-config-2"))
    both = {each.core.parts for each in found if len({witness.check for witness in each.witnesses}) == 2}
    assert ("aws_db_instance.orders", "publicly_accessible") in both
    assert ("aws_db_instance.orders", "storage_encrypted") in both


def test_two_rules_of_one_class_about_one_answer_stay_two() -> None:
    document = zap(
        alert("10038", "Content Security Policy (CSP) Header Not Set", ("GET", "https://shop.test/a", "")),
        alert("10035", "Strict-Transport-Security Header Not Set", ("GET", "https://shop.test/a", "")),
        alert("10010", "Cookie No HttpOnly Flag", ("GET", "https://shop.test/a", "sid")),
        alert("10054", "Cookie without SameSite Attribute", ("GET", "https://shop.test/a", "sid")),
    )
    found = findings(document)
    assert len(found) == 4
    assert {each.core.kind for each in found} == {Kind.ENDPOINT}


def test_versions_of_one_component_at_one_place_are_one_finding() -> None:
    document = grype(("pkg:npm/a@1", "/package-lock.json", "CVE-2020-1", ()), ("pkg:npm/a@2", "/package-lock.json", "CVE-2020-1", ()))
    [found] = findings(document)
    assert dict(found.notes)["version"] == "1, 2"
