"""Package sets as bills of materials: package URLs, CycloneDX and SPDX."""
