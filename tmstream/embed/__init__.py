"""From features to one vector in a named space."""
