"""Advisories as others publish them, compiled into the one file that the dependencies check reads; and who is hit by a new one.

Reads archives (`archives`, `download`), understands OSV, KEV and EPSS (`osv`, `urgency`, `severities`), joins aliases (`groups`), writes
the index (`compiling`), and keeps the fleet's components (`fleet`). Not here: matching a lock file, which is the check's.
"""
