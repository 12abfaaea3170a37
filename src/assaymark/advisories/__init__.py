"""Advisories as others publish them, compiled into the one file that the dependencies check reads; and what is new in a later one.

Reads archives (`archives`, `download`), understands OSV, KEV and EPSS (`osv`, `urgency`, `severities`), joins aliases (`groups`), writes
the index (`compiling`), and compares two of them (`news`). Not here: matching a lock file, which is the check's; who holds what, `store`'s.
"""
