"""Deliveries of forges and registries as triggers: headers, raw body and secrets in, `Delivery` out. Pure: asks nobody, keeps nothing."""
