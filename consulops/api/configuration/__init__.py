"""Configuration as code: the YAML of `apply` and `export`."""
