"""An append-only log that anybody can check: RFC 6962 tree, C2SP notes, checkpoints, tiles and proofs.

`merkle`, `note`, `checkpoint`, `tiles`, `inclusion` and `audit` know bytes alone and serve any log; `entry` and `proof` know endorsements.
"""
