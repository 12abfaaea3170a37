"""Answers of `assay verify` as text for people and machines. Nothing of what strangers wrote steers a terminal or breaks a document."""
