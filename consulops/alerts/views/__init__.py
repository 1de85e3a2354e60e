"""The pages of alerts and routes."""
