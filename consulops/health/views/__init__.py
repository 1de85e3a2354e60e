"""The pages of checks, services and nodes."""
