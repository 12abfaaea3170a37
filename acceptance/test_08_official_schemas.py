"""Every machine-readable report of a real run validates against the schema of its format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from acceptance.harness import ROOT, Shell
from lxml import etree

SCHEMAS = ROOT / "tests" / "views" / "schemas"
JSON_FORMATS = {
    "sarif": "sarif-2.1.0.schema.json",
    "gitlab-sast": "gitlab-sast-15.2.1.json",
    "gitlab-secrets": "gitlab-secret-detection-15.2.1.json",
    "gitlab-codequality": "gitlab-codequality.json",
}
WORKFLOW = (
    "on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ github.event.issue.title }}\n"
)


@pytest.fixture(scope="module")
def reports(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of a repository with findings of every layer and something that cannot be checked, in every format."""
    folder = tmp_path_factory.mktemp("reports")
    password = "hX9vQ2" + "mLp7Rt"  # assay: allow - an example, in pieces
    files = {
        "code.py": "import os\n\n\ndef run(name):\n    return os.system(name)\n",
        "broken.py": "def broken(:\n",
        "settings.ini": f"[db]\npassword = {password}\n",
        ".github/workflows/ci.yml": WORKFLOW,
    }
    repository = shell.repository(folder / "sample", files)
    wanted = [word for form in (*JSON_FORMATS, "junit", "json") for word in ("--report", f"{form}={folder / form}")]
    said = shell.run("check", "--all", *wanted, folder=repository)
    assert said.code == 1, said.out[-2000:] + said.err[-2000:]
    return folder


@pytest.mark.parametrize("form", JSON_FORMATS)
def test_a_json_format_validates(reports: Path, form: str) -> None:
    report: Any = json.loads((reports / form).read_text("utf-8"))
    validator = jsonschema_rs.validator_for((SCHEMAS / JSON_FORMATS[form]).read_text("utf-8"))
    assert [f"{list(error.instance_path)}: {error.message}" for error in validator.iter_errors(report)] == []
    rows = report if isinstance(report, list) else report.get("vulnerabilities", report.get("runs"))
    assert rows, "an empty report would validate as well"


def test_junit_validates(reports: Path) -> None:
    schema = etree.XMLSchema(etree.parse(SCHEMAS / "jenkins-junit-10.xsd"))
    tree = etree.parse(reports / "junit")
    assert schema.validate(tree), str(schema.error_log)
    assert tree.findall(".//failure")


def test_our_own_json_validates_against_the_packaged_schema(reports: Path) -> None:
    import assaymark.views  # noqa: PLC0415 - the installed package's own file

    schema = Path(assaymark.views.__file__).parent / "schema" / "verdict-1.schema.json"
    jsonschema_rs.validator_for(schema.read_text("utf-8")).validate(json.loads((reports / "json").read_text("utf-8")))
