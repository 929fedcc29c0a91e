"""Sources: where packets enter the house."""
