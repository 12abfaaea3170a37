"""Pattern rules on syntax trees, one check per language; how to write one: docs/how-to/add-a-pattern-rule.md."""
