"""Arrays in, arrays out; each file is tested against an oracle."""
