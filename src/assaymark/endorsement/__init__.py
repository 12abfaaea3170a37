"""What is signed, and how it is known again: envelopes and keys. Knows no server and no database."""
