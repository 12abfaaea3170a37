"""Where an endorsement lies beside what it is about: registries of images, files, git notes. What lies there is evidence, never belief."""
