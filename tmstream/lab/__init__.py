"""Teach, classify and judge from files."""
