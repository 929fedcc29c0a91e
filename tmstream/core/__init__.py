"""Words and sums: the payloads, the protocols, the wire."""
