"""What `assay verify` gathers before it asks: digests of what is named, bundles, and whom to believe. Reads files and repositories."""
