"""One issue per item in GitHub, GitLab, Gitea or Jira: opened with it, kept up with it, closed and opened again with it."""
