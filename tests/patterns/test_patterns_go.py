"""What the check of Go knows beyond the samples: packages under other names, types of fields, forms of text, marks of gosec."""

from __future__ import annotations

import pytest

from assaymark.checks.application.patterns.go.check import make
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.model.finding import Sighting
from assaymark.model.severity import Confidence

CHECK = make(CheckSettings(cache_dir="", installation_key=Secret(b"k")))
REQUEST = 'import "net/http"\n'


def sightings(text: str) -> tuple[Sighting, ...]:
    content = text.encode()
    ((_, outcome),) = CHECK.run([Input(sha256(content), Dialect("go"), (Part("", content),))])
    assert isinstance(outcome, Checked), outcome
    return outcome.sightings


def rules(text: str) -> list[str]:
    return [sighting.rule.partition("/")[2] for sighting in sightings(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('import hash "crypto/md5"\nfunc f(b []byte) { hash.Sum(b) }', ["weak-hash"]),
        ('import md5 "example.org/fast"\nfunc f(b []byte) { md5.Sum(b) }', []),
        ('import . "os/exec"\nfunc f(n string) { Command("sh", "-c", "ls "+n) }', ["command-built"]),
        ('import "math/rand/v2"\nfunc token() int { return rand.Int() }', ["guessable-random"]),
        ('import "crypto/rand"\nfunc token() { rand.Int(rand.Reader, most) }', []),
        ('import "github.com/golang-jwt/jwt/v5"\nfunc f(s string) { jwt.NewParser().ParseUnverified(s, c) }', ["jwt-unverified"]),
    ],
)
def test_a_package_is_known_by_where_it_is_imported_from(text: str, found: list[str]) -> None:
    assert rules(text) == found


def test_fields_of_structures_have_their_types() -> None:
    server = 'import ("database/sql"; "net/http")\ntype S struct { store *sql.DB; page int }\n'
    assert rules(server + 'func (s *S) f(r *http.Request) { s.store.Query(r.FormValue("q")) }') == ["sql-built"]
    assert rules(server + 'func (s *S) f() { s.store.Query("SELECT a FROM t WHERE p = " + s.page) }') == []


def test_the_request_that_a_program_sends_is_no_source() -> None:
    text = REQUEST + 'import "os"\nfunc (t *T) {name}(r *http.Request) {{ os.Open(r.URL.Path) }}'
    assert rules(text.format(name="ServeHTTP")) == ["file-path"]
    assert rules(text.format(name="RoundTrip")) == []


def test_a_format_says_which_values_are_text() -> None:
    query = 'import ("fmt"; "database/sql")\nfunc f(db *sql.DB, a string) {{ db.Exec(fmt.Sprintf("delete from t where a = {verb}", a)) }}'
    assert rules(query.format(verb="'%s'")) == ["sql-built"]
    assert rules(query.format(verb="%d")) == []


def test_a_value_that_was_asked_about_is_less_sure() -> None:
    text = REQUEST + 'import "os"\nfunc f(r *http.Request) {{ n := r.FormValue("n"); {asked} os.Open(n) }}'
    assert [s.confidence for s in sightings(text.format(asked=""))] == [Confidence.HIGH]
    assert [s.confidence for s in sightings(text.format(asked="if !filepath.IsLocal(n) { return };"))] == [Confidence.LOW]


def test_the_address_of_a_variable_is_a_way_to_set_it() -> None:
    text = (
        REQUEST + 'import ("encoding/json"; "os")\nfunc f(r *http.Request) { var n string; json.NewDecoder(r.Body).Decode(&n); os.Open(n) }'
    )
    assert rules(text) == ["file-path"]


@pytest.mark.parametrize(
    ("mark", "counts"),
    [
        ("// #nosec", True),
        ("// #nosec G106", True),
        ("// #nosec G106 -- a lab", True),
        ("//gosec:disable G106 - a lab", True),
        ("// #nosec G304", False),
        ("//nolint:gosec", True),
        ("//nolint:errcheck", False),
        ("// assay:allow a lab", True),
    ],
)
def test_marks_of_gosec_are_recorded(mark: str, counts: bool) -> None:
    (sighting,) = sightings(f'import "golang.org/x/crypto/ssh"\nfunc f() {{\n\tuse(ssh.InsecureIgnoreHostKey()) {mark}\n}}')
    assert (sighting.suppression is not None) is counts


def test_values_made_by_new_are_read_although_the_grammar_knows_only_types() -> None:
    text = 'import "crypto/tls"\nfunc f() { use(new(tls.Config{InsecureSkipVerify: true}), new([]int{1}), new("a")) }'
    assert rules(text) == ["tls-unverified"]


@pytest.mark.parametrize("path", ["a.go", "a/b_test.go"])
def test_files_are_chosen_by_their_name(path: str) -> None:
    assert CHECK.select(path) == "go"
    assert CHECK.select(path + "x") is None


def test_what_a_test_does_to_itself_is_least_sure() -> None:
    text = 'import ("crypto/tls"{more})\nfunc f() {{ use(&tls.Config{{InsecureSkipVerify: true}}) }}'
    assert [s.confidence for s in sightings(text.format(more=""))] == [Confidence.HIGH]
    assert [s.confidence for s in sightings(text.format(more='; "testing"'))] == [Confidence.LOW]


def test_what_a_file_holds_is_not_what_named_it() -> None:
    text = (
        REQUEST
        + 'import "os"\nfunc f(w http.ResponseWriter, r *http.Request) { b, err := os.ReadFile(r.FormValue("n")); _ = err; w.Write(b) }'
    )
    assert rules(text) == ["file-path"]
