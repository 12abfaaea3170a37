"""Readers of formats: exact pairs, exact positions, bounded on hostile input."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark.checks.application.secrets.readers.pairs import NotParsed, Pair, reader_of
from assaymark.model.finding import Sighting

Scan = Callable[..., tuple[Sighting, ...]]
DIALECTS = ["json", "tfstate", "docker-config", "yaml", "kubeconfig", "xml", "dotenv", "properties", "netrc", "pgpass", "htpasswd"]


def pairs(dialect: str, text: str) -> list[Pair]:
    reader = reader_of(dialect)
    assert reader is not None
    return list(reader(text.encode()))


def test_netrc_gives_the_word_after_password(scan: Scan, maker: Any) -> None:
    value = maker.password()
    (found,) = scan(f"machine api.acme.io\n  login bob\n  password {value}\nmacdef init\n password no\n\n", "netrc")
    assert found.rule == "secrets/stored-credential"
    assert found.span is not None
    assert found.span.start_line == 3


def test_pgpass_gives_the_fifth_field_with_escapes(scan: Scan) -> None:
    assert [p.value for p in pairs("pgpass", "# c\nhost:5432:*:bob:se\\:cr\\\\et\n")] == ["se:cr\\et"]
    assert len(scan("db.acme.io:5432:main:app:Gh7" + "kQz91\n", "pgpass")) == 1


def test_dotenv_reads_export_quotes_comments_and_lines(scan: Scan) -> None:
    text = "# c\nexport A='one two'\nB=\"x\ny\"\nC=plain # note\nD=\n"
    assert [(p.key, p.value) for p in pairs("dotenv", text)] == [("A", "one two"), ("B", "x\ny"), ("C", "plain")]


def test_properties_read_three_separators() -> None:
    assert [(p.key, p.value) for p in pairs("properties", "a=1x\nb : 2x\nc 3x\n! no\n# no\n")] == [("a", "1x"), ("b", "2x"), ("c", "3x")]


def test_json_joins_name_and_value_in_either_order() -> None:
    wanted = [("DB_PASSWORD", "v1"), ("TOKEN", "v2")]
    text = '{"e": [{"name": "DB_PASSWORD", "value": "v1"}, {"value": "v2", "name": "TOKEN"}]}'
    assert [(p.key, p.value) for p in pairs("json", text) if p.key in dict(wanted)] == wanted


def test_yaml_does_not_follow_aliases() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*{'a' if i == 0 else f'b{i - 1}'}, *a]\n" for i in range(300))
    started = time.process_time()
    assert len(pairs("yaml", bomb)) == 2
    assert time.process_time() - started < 2


def test_xml_refuses_entities_declared_in_the_document() -> None:
    with pytest.raises(NotParsed):
        pairs("xml", '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')


def test_docker_config_is_decoded(scan: Scan, maker: Any) -> None:
    auth = maker.basic()
    (found,) = scan(json.dumps({"auths": {"ghcr.io": {"auth": auth}}}), "docker-config")
    assert found.rule == "secrets/docker-registry-auth"


def test_a_cluster_key_in_base64_is_found(scan: Scan, maker: Any) -> None:
    key = base64.b64encode(("-----BEGIN RSA PRIVATE " + "KEY-----\n" + maker.word(80)).encode()).decode()
    text = f"apiVersion: v1\nusers:\n- name: a\n  user:\n    client-key-data: {key}\n"
    assert [s.rule for s in scan(text, "kubeconfig")] == ["secrets/kubernetes-credential"]


def test_terraform_state_gives_its_passwords(scan: Scan, maker: Any) -> None:
    attributes = {"master_password": maker.password(), "arn": "arn:aws:rds:x"}
    text = json.dumps({"resources": [{"instances": [{"attributes": attributes}]}]})
    assert [s.rule for s in scan(text, "tfstate")] == ["secrets/password"]


def test_htpasswd_gives_hashes(scan: Scan, maker: Any) -> None:
    assert [s.rule for s in scan("bob:$apr1" + "$" + maker.word(8) + "$" + maker.word(22) + "\n", "htpasswd")] == ["secrets/password-hash"]


@pytest.mark.parametrize("dialect", ["json", "yaml", "xml"])
def test_nesting_a_thousand_deep_ends_with_a_clear_answer(dialect: str, scan: Scan, maker: Any) -> None:
    deep = {"json": '{"a":' * 1000, "yaml": "[" * 1000, "xml": "<a>" * 1000}[dialect]
    with pytest.raises(NotParsed):
        pairs(dialect, deep)
    value = maker.password()
    assert len(scan(f'password: "{value}"\n{deep}', dialect)) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=60, deadline=None)
@given(data=st.one_of(st.binary(max_size=300), st.text(alphabet='{}[]:,"\\\n\t =#&*-<>/!?abpasword1.\r', max_size=200).map(str.encode)))
def test_readers_never_fail_and_positions_lie_inside(dialect: str, data: bytes) -> None:
    reader = reader_of(dialect)
    assert reader is not None
    try:
        for pair in reader(data):
            assert 0 <= pair.start <= pair.end <= len(data)
    except NotParsed:
        pass
