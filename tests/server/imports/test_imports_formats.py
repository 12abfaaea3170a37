"""Each format is recognised by its content and says what its tool says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.server.imports.import_samples import (
    REPORTS,
    alert,
    findings,
    gitleaks,
    grype,
    nuclei,
    osv,
    prowler,
    sample,
    snyk,
    spoken,
    trivy,
    trivy_packages,
    world,
    zap,
)
from tests.server.migrations.migration_samples import track

from assaymark.errors import UsageError
from assaymark.model.finding import Kind, Layer
from assaymark.model.identity import identify
from assaymark.model.rules import catalogue
from assaymark.model.severity import Severity
from assaymark.server.imports.found import Ask
from assaymark.server.imports.kinds import DocumentKind, kind_of

ZAP_XML = b"""<?xml version="1.0"?><OWASPZAPReport version="2.16"><site name="https://shop.test" host="shop.test"><alerts>
<alertitem><pluginid>40018</pluginid><alert>SQL Injection</alert><name>SQL Injection</name><riskcode>3</riskcode><confidence>2</confidence>
<desc>&lt;p&gt;bad&lt;/p&gt;</desc><cweid>89</cweid><instances><instance><uri>https://shop.test/a/17?q=1</uri><method>GET</method><param>q</param>
<evidence>secret evidence</evidence></instance></instances></alertitem></alerts></site></OWASPZAPReport>"""
BOM_XML = b"""<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.5" version="1">
<metadata><tools><tool><name>cdx</name></tool></tools></metadata><components><component type="library" bom-ref="a">
<name>lodash</name><version>4.17.15</version>
<purl>pkg:npm/lodash@4.17.15</purl>
</component></components><vulnerabilities><vulnerability><id>CVE-2020-8203</id><ratings><rating><severity>high</severity></rating></ratings>
<affects><target><ref>a</ref></target></affects></vulnerability></vulnerabilities></bom>"""
SPDX3 = {
    "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
    "@graph": [
        {"type": "SpdxDocument", "spdxId": "urn:d", "rootElement": ["urn:s"]},
        {"type": "software_Sbom", "spdxId": "urn:s", "rootElement": ["urn:app"]},
        {"type": "software_Package", "spdxId": "urn:app", "name": "app", "software_primaryPurpose": "application"},
        {
            "type": "software_Package",
            "spdxId": "urn:l",
            "name": "lodash",
            "software_packageVersion": "4.17.15",
            "software_packageUrl": "pkg:npm/lodash@4.17.15",
        },
        {"type": "Relationship", "spdxId": "urn:r", "from": "urn:app", "to": ["urn:l"], "relationshipType": "dependsOn"},
    ],
}
VEX = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "author": "ana",
    "timestamp": "2026-01-01T00:00:00Z",
    "statements": [
        {
            "vulnerability": {"name": "CVE-2020-8203"},
            "products": [{"@id": "pkg:npm/lodash@4.17.15"}],
            "status": "not_affected",
            "justification": "vulnerable_code_not_present",
        }
    ],
}
SONAR = {
    "paging": {"pageIndex": 1, "pageSize": 100, "total": 9},
    "issues": [
        {
            "rule": "python:S4790",
            "severity": "MAJOR",
            "component": "g:shop:src/a.py",
            "project": "g:shop",
            "line": 3,
            "status": "OPEN",
            "message": "md5",
        },
        {
            "rule": "python:S1",
            "severity": "MINOR",
            "component": "g:shop:src/a.py",
            "project": "g:shop",
            "status": "CLOSED",
            "message": "gone",
        },
    ],
}
KINDS: dict[str, tuple[bytes | object, DocumentKind]] = {
    "bandit": (sample("bandit-1"), DocumentKind.BANDIT),
    "semgrep": (sample("semgrep-1"), DocumentKind.SEMGREP),
    "checkov list or one": (sample("checkov-2"), DocumentKind.CHECKOV),
    "checkov without findings": ({"passed": 0, "failed": 0, "resource_count": 0, "checkov_version": "3"}, DocumentKind.CHECKOV),
    "gitleaks": (sample("gitleaks-redacted-1"), DocumentKind.GITLEAKS),
    "gitleaks 7": ([{"rule": "a", "offender": "b", "file": "c", "lineNumber": 1}], DocumentKind.GITLEAKS),
    "npm audit 2": (sample("npm-audit-1"), DocumentKind.NPM_AUDIT),
    "npm audit 1": ({"actions": [], "advisories": {}, "metadata": {}}, DocumentKind.NPM_AUDIT),
    "pip-audit": (sample("pip-audit-1"), DocumentKind.PIP_AUDIT),
    "pip-audit list": ([{"name": "a", "version": "1", "vulns": []}], DocumentKind.PIP_AUDIT),
    "trivy": (sample("trivy-config-1"), DocumentKind.TRIVY),
    "trivy before 0.20": ([{"Target": "x", "Vulnerabilities": None}], DocumentKind.TRIVY),
    "grype": (grype(("pkg:npm/a@1", "/x", "CVE-1", ())), DocumentKind.GRYPE),
    "osv-scanner": (osv("/x", ("npm", "a", "1", ("CVE-1",))), DocumentKind.OSV_SCANNER),
    "osv-scanner without findings": ({"results": []}, DocumentKind.OSV_SCANNER),
    "snyk": (snyk(), DocumentKind.SNYK),
    "snyk list": ([snyk(), snyk()], DocumentKind.SNYK),
    "sonarqube": (SONAR, DocumentKind.SONARQUBE),
    "zap": (zap(), DocumentKind.ZAP),
    "zap xml": (ZAP_XML, DocumentKind.ZAP_XML),
    "nuclei line": (nuclei("t", "https://a.test"), DocumentKind.NUCLEI),
    "nuclei list": ([nuclei("t", "https://a.test")], DocumentKind.NUCLEI),
    "ocsf": ([prowler("c", "r")], DocumentKind.OCSF),
    "ocsf one": (prowler("c", "r"), DocumentKind.OCSF),
    "ocsf lines": (b"\n".join(json.dumps(prowler("c", str(n))).encode() for n in range(3)), DocumentKind.OCSF),
    "openvex": (VEX, DocumentKind.OPENVEX),
    "cyclonedx xml": (BOM_XML, DocumentKind.CYCLONEDX_XML),
    "generic": (
        {"findings": [{"title": "x", "severity": "High", "description": "d", "file_path": "a.py", "line": 3}]},
        DocumentKind.GENERIC,
    ),
    "generic table": (b"Date,Title,Severity,Url,CweId\n2026-01-01,x,Low,https://a.test/b,79\n", DocumentKind.GENERIC_CSV),
    "dependency-track": (track()[1], DocumentKind.DEPENDENCY_TRACK),
    "spdx 3": (SPDX3, DocumentKind.SPDX3),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_document_is_known_by_its_content(name: str) -> None:
    document, kind = KINDS[name]
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    assert kind_of(data) is kind
    spoken(data)
    if b"encoding=" not in data:
        spoken(data.decode().encode("utf-16"))  # as shells of Windows write it


@pytest.mark.parametrize("path", sorted(REPORTS.iterdir()), ids=lambda path: path.name)
def test_reports_that_a_tool_wrote_say_something(path: Any) -> None:
    told = spoken(path.read_bytes())
    found = identify(told.seen, catalogue())
    assert found or sum(len(held.packages) for _, held in told.sets.values()) == 2
    assert all(each.message and each.core.kind is not Kind.UNCHECKED for each in found)


@pytest.mark.parametrize("name", ["lock", "an empty list", "a list of numbers", "package.json"])
def test_what_is_no_report_is_refused_with_what_is_read(name: str) -> None:
    documents = {
        "lock": b'{"lockfileVersion": 3, "packages": {}}',
        "an empty list": b"[]",
        "a list of numbers": b"[1, 2]",
        "package.json": b'{"name": "a", "version": "1", "dependencies": {"a": "1"}}',
    }
    with pytest.raises(UsageError) as told:
        spoken(documents[name])
    assert "Trivy" in told.value.advice or "format" in told.value.advice


def test_bandits_severity_and_confidence_are_kept_apart() -> None:
    found = {each.rule: each for each in findings(sample("bandit-1"))}
    assert found["bandit/B602"].severity is Severity.HIGH  # type: ignore[index]
    assert found["bandit/B602"].core.rule_class == "command-injection"  # type: ignore[index]


def test_semgrep_rules_of_a_copied_registry_are_known() -> None:
    assert {each.rule for each in findings(sample("semgrep-1"))} == {
        "semgrep/python.lang.security.audit.subprocess-shell-true.subprocess-shell-true",
        "semgrep/python.lang.security.deserialization.avoid-pyyaml-load.avoid-pyyaml-load",
    }


def test_checkovs_skips_are_suppressions_and_its_parsing_errors_gaps() -> None:
    document = {
        "check_type": "terraform",
        "results": {
            "skipped_checks": [
                {
                    "check_id": "CKV_AWS_17",
                    "resource": "a.b",
                    "file_path": "/m.tf",
                    "check_result": {"result": "SKIPPED", "suppress_comment": "known"},
                }
            ],
            "parsing_errors": ["/broken.tf"],
        },
    }
    found = findings(document)
    assert {each.core.kind for each in found} == {Kind.CONFIGURATION, Kind.UNCHECKED}
    [skipped] = [each for each in found if each.core.kind is Kind.CONFIGURATION]
    assert skipped.suppression is not None
    assert "known" in skipped.suppression.marker


def test_zap_keeps_no_request_and_no_evidence() -> None:
    told = findings(ZAP_XML)
    assert [(each.core.rule_class, each.core.parts) for each in told] == [("sql-injection", ("https://shop.test", "GET /a/{id}", "q"))]
    assert "evidence" not in repr(told)
    assert "session" not in repr(findings(zap(alert("10010", "Cookie", ("GET", "https://shop.test/", "sid")))))


def test_nuclei_keeps_no_request_and_knows_web_from_network() -> None:
    told = findings([nuclei("xss", "https://a.test/x?q=1"), nuclei("ssh", "a.test:22", type="tcp", **{"matched-at": "a.test:22"})])
    assert {(each.core.kind, each.layer) for each in told} == {(Kind.ENDPOINT, Layer.APPLICATION), (Kind.HOST, Layer.PLATFORM)}
    assert "session" not in repr(told)


def test_sonarqube_names_files_behind_the_projects_key_and_says_that_pages_are_missing() -> None:
    told = spoken(SONAR)
    assert [(each.path, each.sighting.rule) for each in told.seen] == [("src/a.py", "sonarqube/python:S4790")]
    assert any("one page of 9" in note for note in told.notes)
    assert any("1 that are closed" in note for note in told.notes)


def test_hotspots_do_not_close_issues() -> None:
    hotspot = {
        "component": "p:a.py",
        "project": "p",
        "ruleKey": "python:S2245",
        "vulnerabilityProbability": "LOW",
        "status": "TO_REVIEW",
        "line": 1,
        "message": "m",
    }
    told = spoken({"paging": {"total": 1}, "hotspots": [hotspot]})
    assert told.checks[0][0] == "import/sonarqube/hotspots"


def test_prowler_tells_what_failed_and_not_what_passed() -> None:
    told = findings(
        [
            prowler("s3_open", "arn:a"),
            prowler("s3_open", "arn:b", "PASS"),
            prowler("s3_open", "arn:c", status_id=3, status_code="MUTED"),
            prowler("s3_open", "arn:a"),
        ]
    )
    assert [(each.core.kind, each.core.parts, each.layer) for each in told] == [(Kind.HOST, ("s3_open", "arn:a"), Layer.INFRASTRUCTURE)]


def test_ocsf_vulnerabilities_are_components_where_a_package_is_named() -> None:
    package = {"name": "lodash", "version": "4.17.15", "purl": "pkg:npm/lodash@4.17.15"}
    event = prowler(
        "x",
        "i-1",
        class_uid=2002,
        status_code="",
        vulnerabilities=[{"cve": {"uid": "CVE-2020-8203"}, "severity": "High", "affected_packages": [package]}],
    )
    bare = prowler("x", "i-1", class_uid=2002, status_code="", vulnerabilities=[{"cve": {"uid": "CVE-2020-1"}}])
    other = prowler("x", "i-1", class_uid=3002)
    told = spoken([event, bare, other])
    assert sorted(each.core.kind for each in identify(told.seen, catalogue())) == [Kind.COMPONENT, Kind.HOST]
    assert any("class 3002" in note for note in told.notes)


def test_a_detection_about_an_actor_is_an_event() -> None:
    [found] = findings(prowler("root_login", "arn:a", actor={"user": {"uid": "root"}}))
    assert (found.core.kind, found.core.parts) == (Kind.EVENT, ("root_login", "root", "arn:a"))


def test_statements_are_handed_over_and_are_no_findings() -> None:
    told = spoken(VEX)
    assert (told.seen, told.checks) == ((), ())
    assert [(said.ids, said.products, said.status, said.author) for said in told.statements] == [
        (("CVE-2020-8203",), ("pkg:npm/lodash@4.17.15",), "not-affected", "ana")
    ]


def _bill(state: str = "", **more: Any) -> dict[str, Any]:
    vulnerability = {
        "id": "CVE-2020-8203",
        "ratings": [{"severity": "high"}],
        "affects": [{"ref": "a"}],
        **({"analysis": {"state": state, "detail": "so"}} if state else {}),
    }
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"tools": {"components": [{"name": "cdx"}]}},
        "components": [{"type": "library", "bom-ref": "a", "name": "lodash", "version": "4.17.15", "purl": "pkg:npm/lodash@4.17.15"}],
        "vulnerabilities": [vulnerability], **more,
    }  # fmt: skip


def test_cyclonedx_in_json_and_xml_say_the_same() -> None:
    one, other = findings(_bill()), findings(BOM_XML)
    assert [each.fingerprint for each in one] == [each.fingerprint for each in other]
    assert one[0].witnesses[0].check == "import/cdx"
    assert spoken(BOM_XML).sets.keys() == {"import/bill"}


def test_what_a_bills_author_lets_through_is_a_statement_and_no_finding() -> None:
    told = spoken(_bill("not_affected"))
    assert not told.seen
    assert [said.status for said in told.statements] == ["not-affected"]
    assert [said.status for said in spoken(_bill("exploitable")).statements] == ["affected"]


def test_a_bill_without_components_is_about_its_vulnerabilities_alone() -> None:
    document = _bill(components=[])
    document["vulnerabilities"][0]["affects"] = [{"ref": "urn:cdx:x/1#pkg:npm/lodash@4.17.15"}, {"ref": "nowhere"}]
    told = spoken(document)
    assert not told.sets
    assert len(told.seen) == 1
    assert any("1 statements about components" in note for note in told.notes)


def test_spdx_3_is_held_like_spdx_2() -> None:
    [(_, packages)] = spoken(SPDX3).sets.values()
    assert [(each.name, each.version, each.direct) for each in packages.packages] == [("lodash", "4.17.15", True)]


def test_the_layer_that_was_asked_for_wins() -> None:
    told = spoken([prowler("a", "b")], ask=Ask(chosen=Layer.PLATFORM))
    assert {each.layer for each in told.seen} == {Layer.PLATFORM}


def test_components_of_a_malicious_kind_are_critical() -> None:
    [found] = findings(osv("/a/yarn.lock", ("npm", "evil", "1", ("MAL-2023-1",))))
    assert (found.severity, found.core.rule_class) == (Severity.CRITICAL, "malicious-component")


def test_snyk_names_binary_packages_of_a_distribution() -> None:
    row = {
        "id": "SNYK-DEBIAN11-GCC10-1",
        "name": "gcc-10/libgcc-s1",
        "version": "10.2.1-6",
        "severity": "low",
        "packageManager": "debian:11",
        "identifiers": {"CVE": ["CVE-2023-4039"]},
    }
    [found] = findings(snyk(row, manager="deb", target=""))
    assert found.core.parts == ("pkg:deb/debian/libgcc-s1", "CVE-2023-4039")


def iac(*rows: tuple[str, list[str]], kind: str = "terraformconfig", target: str = "main.tf") -> dict[str, Any]:
    """As `snyk iac test --json` writes it: (rule, path)."""
    issues = [{"id": rule, "publicId": rule, "title": "It is", "severity": "medium", "path": path, "lineNumber": 5} for rule, path in rows]
    return {"vulnerabilities": [], "ok": False, "targetFile": target, "projectType": kind, "infrastructureAsCodeIssues": issues}


def test_snyk_addresses_a_setting_by_the_name_of_its_resource() -> None:
    disk = ["launch_specification", "root_block_device", "encrypted"]
    found = findings(
        iac(
            ("SNYK-CC-TF-53", ["resource", "aws_spot_fleet_request[blue]", *disk]),
            ("SNYK-CC-TF-53", ["input", "resource", "aws_spot_fleet_request[green]", *disk]),
            ("SNYK-CC-TF-99", ["data", "aws_iam_policy_document[own]", "statement[1]", "actions[0]"]),
        )
    )
    assert sorted(each.core.parts for each in found) == [
        ("aws_spot_fleet_request.blue", "launch_specification.root_block_device.encrypted"),
        ("aws_spot_fleet_request.green", "launch_specification.root_block_device.encrypted"),
        ("data.aws_iam_policy_document.own", "statement.actions"),
    ]


def test_snyk_addresses_a_setting_of_a_workload_by_the_name_of_its_container() -> None:
    path = ["[DocId: 1]", "input", "spec", "template", "spec", "containers[api]", "securityContext", "privileged"]
    [found] = findings(iac(("SNYK-CC-K8S-1", path), kind="k8sconfig", target="web.yaml"))
    assert found.core.parts[0] == "spec.template.spec.containers.api.securityContext.privileged"


def test_snyk_iac_speaks_of_a_rule_of_ours_where_it_is_the_same() -> None:
    [found] = findings(iac(("SNYK-CC-TF-124", ["resource", "aws_s3_bucket[logs]", "versioning", "enabled"])))
    assert (found.rule, found.core.parts[0]) == ("terraform/s3-no-versioning", "aws_s3_bucket.logs")


def test_a_secret_is_never_shown() -> None:
    token = "AK" + "IA" + "Q3EGRIHZKW5MTXYB"
    for given in (world(), world({"settings.py": f'x = "{token}"'.encode()})):
        assert token not in repr(findings(gitleaks(token), given=given))


def test_an_error_of_npm_is_no_empty_report() -> None:
    with pytest.raises(UsageError, match="no findings"):
        spoken({"auditReportVersion": 2, "error": {"code": "ENOLOCK"}})


def test_trivys_licences_are_counted_and_its_passed_checks_left_out() -> None:
    result = {
        "Target": "d",
        "Class": "license",
        "Licenses": [{"Name": "GPL-3.0"}],
        "Misconfigurations": [{"ID": "DS001", "Status": "PASS"}],
    }
    told = spoken(trivy(result, trivy_packages("package-lock.json", "npm", ("a", "1", "", "CVE-1"))))
    assert len(told.seen) == 1
    assert any("1 licences" in note for note in told.notes)
