"""How ``generic_model.json`` of the secrets check was fitted and judged; see README.md."""
