"""Documents of other tools (SARIF, JUnit, bills of materials, our own verdicts) become findings with identities of ours."""
