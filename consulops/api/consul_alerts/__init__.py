"""What lets a team leave consul-alerts: its HTTP endpoints, its command, and its configuration."""
