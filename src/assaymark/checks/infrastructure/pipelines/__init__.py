"""Checks of build pipelines: GitHub workflows (zizmor), GitLab CI files and Jenkinsfiles (own rules)."""
