"""The organization of the demonstration, which every seeding makes."""

DEMO = "demo"
"""Its key; the others of the demonstration begin with it."""
