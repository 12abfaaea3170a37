"""Orders in, parcels out."""
