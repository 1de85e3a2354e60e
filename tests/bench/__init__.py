"""Benchmarks of the running product: `python -m tests.bench`, explained in docs/benchmarks.md."""
