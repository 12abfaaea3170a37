from __future__ import annotations

import pytest
from acceptance.harness import Shell


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """`assay`, installed and prepared: compiled rules are made once per installation."""
    made = Shell(tmp_path_factory.mktemp("home"))
    said = made.run("doctor", folder=made.home)
    assert said.code == 0, said.out + said.err
    return made
