"""Deployments and StatefulSets of a Kubernetes cluster, by its API alone: no `kubectl` is needed where the deployer runs."""
