"""Order of versions, per ecosystem, as bytes.

`keys.key_of` turns a version into bytes such that comparing two keys of one ecosystem byte by byte (memcmp, SQLite's order of blobs,
Python's ``bytes``) gives the order of the ecosystem's own tool. So ranges are stored and asked in any store, without calling back.

Guarantees: equal versions (``1.0`` and ``1.0.0`` where the ecosystem says so) have equal keys; the order is total and transitive by
nature of bytes; time and length are linear in the version. A text that the ecosystem cannot order has no key: None, never a guess.
"""
