"""From wavering scores to events."""
