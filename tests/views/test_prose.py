"""What people write becomes paragraphs, lists, links and nothing else."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assaymark.views.prose import LONGEST, names_in, prose

ALLOWED = {"p", "br", "ul", "ol", "li", "blockquote", "pre", "code", "strong", "em", "b", "a", "span"}
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    '[click](https://example.org/"onmouseover="alert(1))',
    "https://example.org/'onmouseover='alert(1)",
    "[a](https://user:word@example.org/)",
    "[https://bank.example](https://evil.example/)",
    "`<script>`",
    "```\n</code></pre><script>alert(1)</script>\n```",
    "**<b onclick=alert(1)>**",
    "@<script>",
    "> <iframe src=//evil>",
    "- <svg/onload=alert(1)>",
    "\x00<\x00script>",
    "&lt;script&gt;",
    "[x](https://[::1)",
    "https://example.org\\@evil.example",
    "\u202e<script>",
]


class Strict(HTMLParser):
    """Takes what `prose` may give, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        given = dict(attrs)
        if tag == "a":
            assert set(given) == {"href", "rel"}
            assert (given["href"] or "").startswith(("https://", "http://"))
            assert "nofollow" in (given["rel"] or "")
            self.links.append(given["href"] or "")
        else:
            assert given in ({}, {"class": "soft"})

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Strict:
    strict = Strict()
    strict.feed(prose(text))
    strict.close()
    return strict


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_stays_text(attack: str) -> None:
    read(attack)


@given(st.text(alphabet=st.sampled_from(list("<>&\"'`*_[]()@-#. \n\r\tahtps:/=\\\0\u202e")) | st.characters(), max_size=400))
def test_whatever_is_written_only_allowed_elements_come_out(text: str) -> None:
    read(text)


@given(st.text(alphabet="ab <>&\"'\n", max_size=200))
def test_no_letter_of_plain_text_is_lost(text: str) -> None:
    shown = "".join(read(text).text.split())
    assert [c for c in shown if c in "ab<&\"'"] == [c for c in text if c in "ab<&\"'"]


def test_a_little_markdown_is_read() -> None:
    assert prose("a **b** *c* `d`") == "<p>a <strong>b</strong> <em>c</em> <code>d</code></p>"
    assert prose("- one\n- two\n\n1. three") == "<ul><li>one</li><li>two</li></ul><ol><li>three</li></ol>"
    assert prose("> said\nanswered") == "<blockquote><p>said</p></blockquote><p>answered</p>"
    assert prose("```python\nx < 1\n```") == "<pre><code>x &lt; 1</code></pre>"
    assert prose("one\ntwo") == "<p>one<br>two</p>"
    assert prose("snake_case 2 * 3 * 4") == "<p>snake_case 2 * 3 * 4</p>"


def test_a_link_whose_words_are_others_says_where_it_leads() -> None:
    assert "(evil.example)" in read("[https://bank.example](https://evil.example/x)").text
    assert read("see https://example.org/a.").links == ["https://example.org/a"]


def test_a_link_with_credentials_or_a_broken_host_is_none() -> None:
    assert read("https://bank.example@evil.example/ and https://[::1").links == []


def test_names_are_called_outside_of_code_only() -> None:
    assert names_in("@ana, `@bob` and @carl@example.org.\n```\n@dora\n```\n- @eve") == ("ana", "carl@example.org", "eve")
    assert names_in("mail ana@example.org or https://example.org/@bob") == ()
    assert len(names_in(" ".join(f"@user{n}" for n in range(100)))) == 20


@pytest.mark.parametrize("piece", ["**", "*a", "[", "[a](", "`", "https://", "@a", "> ", "- ", "```\n", "[a](https://", "*a **b "])
def test_hostile_repetition_takes_no_time(piece: str) -> None:
    text = (piece * LONGEST)[:LONGEST]
    begun = time.process_time()
    read(text)
    names_in(text)
    assert time.process_time() - begun < 2


def test_more_than_is_kept_is_cut() -> None:
    assert prose("a" * (LONGEST + 1)).endswith("(cut)</p>")
