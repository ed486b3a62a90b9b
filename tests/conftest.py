"""Fixtures that every test shares; filled in by tests/postgres_server.py and friends."""
