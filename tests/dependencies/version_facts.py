"""Facts about versions, chosen by hand from the ecosystems' own documentation, in ascending order; ``=`` joins equal ones."""

from __future__ import annotations

from assaymark.checks.application.dependencies.packages import Ecosystem

ASCENDING: dict[Ecosystem, str] = {
    Ecosystem.PYPI: "1.dev0 1.0a1.dev2 1.0a1=1.0.alpha-1 1.0b2 1.0rc1=1.0-c1=1.0.preview1 1=1.0=v1.0.0 1.0+abc 1.0+abc.1 1.0+5"
    " 1.0.post1.dev3 1.0-1=1.0.post1=1.0r1 1.0.1 1.10 1!0.5",
    Ecosystem.NPM: "0.9.0 1.0.0-1 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1"
    " 1.0.0=v1.0.0=1.0.0+build 1.0.1 1.10.0",
    Ecosystem.GO: "v0.0.0-20190101000000-abcdefabcdef v0.0.0-20200101000000-abcdefabcdef v0.1.0 v2.0.0+incompatible=2.0.0 v2.0.1",
    Ecosystem.CRATES: "0.1.0-alpha 0.1.0 0.2.0 0.10.0",
    Ecosystem.HEX: "1.0.0-rc.0 1.0.0 1.0.1-dev 1.0.1",
    Ecosystem.PUB: "1.0.0-pre 1.0.0-pre+build 1.0.0 1.0.0+1 1.0.0+2 1.0.0+a 1.0.1",
    Ecosystem.NUGET: "1.0.0-alpha=1.0.0-ALPHA 1.0.0-beta.2 1.0.0-beta.11 1.0=1.0.0=1.0.0.0=1.0.0+x 1.0.0.1-pre 1.0.0.1 1.0.1",
    Ecosystem.MAVEN: "1-alpha-1=1a1 1-alpha.1 1-beta 1-milestone 1-rc=1-cr=1.0.rc 1-SNAPSHOT 1=1.0=1.ga=1-final=1.0.0-0 1-sp 1-abc 1-xyz"
    " 1-1 1.0.1-rc 1.0.1 1.1 2 10",
    Ecosystem.RUBYGEMS: "0.9 1.0.0.a 1.0.a.9=1.0.a9 1.0.a10 1.0.b1 1.0-1=1.0.pre.1 1=1.0=1.0.0 1.0.0.1 1.0.1 1.10",
    Ecosystem.PACKAGIST: "dev-main 1.0-dev 1.0a1=v1.0-alpha1 1.0b1 1.0RC1=1.0rc1 1.0 1.0.0 1.0.1 1.0.1pl1=1.0.1-patch1 1.10",
    Ecosystem.DEBIAN: "1.0~~ 1.0~~a 1.0~ 1.0~rc1 1.0=0:1.0=1.0-0 1.0-1 1.0-1+b1 1.0a 1.0+dfsg 1.0.1=1.00.1 1.2 1.10 1:0.1",
    Ecosystem.ALMALINUX: "1.0~rc1 1.0 1.0-0 1.0-1.el8 1.0-1.el9 1.0-2 1.0^git1-1 1.0a-1 1.0.1-1 1.2 1.10=1_10 1:0.1",
    Ecosystem.ALPINE: "0.9 1.0.01 1.0.1_alpha 1.0.1_beta2 1.0.1_rc1 1.0.1=1.0.1-r0 1.0.1-r1 1.0.1_git20200101 1.0.1_p1 1.0.1a 1.0.2 1.0.10",
}
"""One list per order; ecosystems that share an order need no list of their own."""

NO_VERSION: dict[Ecosystem, tuple[str, ...]] = {
    Ecosystem.PYPI: ("", "2004d-r1.x", "1.0-bulbasaur", "1..0", "main"),
    Ecosystem.NPM: ("", "latest", "^1.0.0", "1.x", "1.2.3.4", "git+ssh://x"),
    Ecosystem.MAVEN: ("", "${project.version}", "[1,2)"),
    Ecosystem.NUGET: ("", "1.2.3.4.5", "1.*"),
    Ecosystem.RUBYGEMS: ("", "a.1", ">= 1"),
    Ecosystem.PACKAGIST: ("", "^1.0", "1.0 || 2.0"),
    Ecosystem.DEBIAN: ("", "1.0_1", "a:1 2"),
    Ecosystem.ALPINE: ("", "1.0_blah1", "1..0", "a"),
}


def ascending(ecosystem: Ecosystem) -> list[list[str]]:
    return [group.split("=") for group in ASCENDING[ecosystem].split()]
