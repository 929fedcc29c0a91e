"""Sinks: where answers leave the house."""
