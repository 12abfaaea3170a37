from __future__ import annotations

import re
import statistics
import threading
import time
from typing import TYPE_CHECKING

import argon2
import pytest

if TYPE_CHECKING:
    from tests.server.people.conftest import World

from starlette.testclient import TestClient

from assaymark.server.people import password
from assaymark.server.people.sign_in import OF_ACCOUNT, OF_ADDRESS, OF_PAIR, network
from assaymark.store import people

RIGHT = "four words nobody says"


def guess(visitor: TestClient, login: str = "ada", words: str = "wrong words entirely") -> int:
    return visitor.post("/api/v1/sessions", json={"login": login, "password": words}).status_code


def test_too_many_tries_are_refused_with_the_time_to_wait(world: World) -> None:
    world.person("ada")
    visitor = world.visitor()
    assert [guess(visitor) for _ in range(OF_PAIR + 2)] == [401] * OF_PAIR + [429] * 2
    answer = visitor.post("/api/v1/sessions", json={"login": "ada", "password": RIGHT})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) == 900
    world.later(900)
    assert guess(visitor, words=RIGHT) == 201


def test_what_is_counted_holds_over_processes(world: World) -> None:
    world.person("ada")
    for _ in range(OF_PAIR):
        guess(world.visitor())
    other = type(world)(world.service)
    assert guess(other.visitor(), words=RIGHT) == 429


def test_a_try_that_was_right_is_not_counted(world: World) -> None:
    world.person("ada")
    for _ in range(OF_PAIR * 3):
        visitor = world.visitor()
        assert guess(visitor, words=RIGHT) == 201


def test_an_address_does_not_try_one_account_after_the_other(world: World) -> None:
    answers = [guess(world.visitor("192.0.2.66"), f"person{number}") for number in range(OF_ADDRESS + 1)]
    assert answers == [401] * OF_ADDRESS + [429]


def test_strangers_do_not_lock_out_who_signed_in_here_before(world: World) -> None:
    world.person("ada")
    home = world.signed_in("ada")
    assert home.delete("/api/v1/sessions/present").status_code == 200
    for number in range(OF_ACCOUNT):
        assert guess(world.visitor(f"198.51.100.{number % 250}")) == 401
    assert guess(world.visitor("203.0.113.9"), words=RIGHT) == 429
    assert guess(home, words=RIGHT) == 201


def test_a_device_cookie_of_one_account_opens_no_other(world: World) -> None:
    world.person("ada")
    world.person("eve")
    eve = world.signed_in("eve")
    answers = [guess(eve) for _ in range(OF_PAIR + 1)]
    assert answers[-1] == 429


def test_a_device_cookie_that_was_made_up_is_worth_nothing(world: World) -> None:
    world.person("ada")
    visitor = world.visitor()
    answers = []
    for number in range(OF_PAIR + 1):
        visitor.cookies.set("assay_device", f"{number:064d}")
        answers.append(guess(visitor))
    assert answers[-1] == 429


def test_many_tries_at_once_are_no_more_than_one_after_the_other(world: World) -> None:
    world.person("ada")
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(guess(world.visitor()))) for _ in range(OF_PAIR * 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [401] * OF_PAIR + [429] * (OF_PAIR * 2)


def test_what_is_wrong_is_not_told(world: World) -> None:
    person = world.person("ada")
    world.person("bob")
    with world.service.database.write() as connection:
        people.disable(connection, person, world.service.now())
    said = {
        re.sub(
            r'"request":"[0-9a-f]+"',
            "",
            world.visitor(f"192.0.2.{number}").post("/api/v1/sessions", json={"login": login, "password": words}).text,
        )
        for number, (login, words) in enumerate([("ada", RIGHT), ("bob", "wrong words entirely"), ("nobody", RIGHT), ("<?>", RIGHT)])
    }
    assert len(said) == 1


def test_a_login_that_is_not_known_costs_a_hash_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = argon2.PasswordHasher(2, 1 << 14, 1)
    monkeypatch.setattr(password, "HASHER", hasher)
    known = password.hash_of(RIGHT)
    password.is_right(None, "x")

    def measured(hashed: str | None) -> float:
        times = []
        for _ in range(9):
            before = time.process_time()
            assert not password.is_right(hashed, "wrong words entirely")
            times.append(time.process_time() - before)
        return statistics.median(times)

    right, unknown = measured(known), measured(None)
    assert 0.5 < unknown / right < 2.0


def test_a_name_that_nobody_has_is_not_kept_in_the_trail(world: World) -> None:
    typed_in_the_wrong_field = "my-real-password-1"
    guess(world.visitor(), typed_in_the_wrong_field)
    assert world.trail("actor", "outcome") == [("nobody", "refused")]
    assert not any(typed_in_the_wrong_field in str(row) for row in world.trail("details", "object", "actor"))


def test_a_hash_of_other_parameters_is_renewed_at_sign_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = world.person("ada")
    monkeypatch.setattr(password, "HASHER", argon2.PasswordHasher(2, 16, 1))
    world.signed_in("ada")
    with world.service.database.read() as connection:
        assert "m=16,t=2" in str(people.password_of(connection, person))


@pytest.mark.parametrize(
    ("address", "counted"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:1", "2001:db8::/64"), ("testclient", "unknown")],
)
def test_addresses_are_counted_by_who_has_them(address: str, counted: str) -> None:
    assert network(address) == counted


@pytest.mark.parametrize("words", ["", "short words", "1234567890" + "12", "qwertyuiop" + "123", "abababababab", "x" * 300])
def test_passwords_that_are_tried_first_are_refused(words: str) -> None:
    with pytest.raises(Exception, match="password"):
        password.check_rules(words, "ada")


@pytest.mark.parametrize("words", ["four words nobody says", "ääääöööüüüßßß…", "            a b c d", "🦆🐑🐎🐖🐐🐓🦃🐇🐈🐕🐀🐁"])
def test_any_letters_make_a_password(words: str) -> None:
    password.check_rules(words, "ada")
    assert password.is_right(password.hash_of(words), words)
