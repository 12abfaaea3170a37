"""Where forges and registries deliver."""
