"""Admission to a Kubernetes cluster: where images hide, reviews in and out, and the policy that works without a server."""
