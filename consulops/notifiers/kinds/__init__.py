"""One file per kind of notifier; a file put here is found at the next start."""
