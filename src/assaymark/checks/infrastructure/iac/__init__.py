"""Infrastructure as code: Terraform modules, judged with the local modules that they call."""
