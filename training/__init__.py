"""How what is shipped as data was fitted. Not part of the package; each folder needs an environment of its own."""
