"""Any program as a driver: one JSON document in, one out (docs/reference/driver-protocol.md)."""
