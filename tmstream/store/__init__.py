"""What is kept on disk, and the last seconds of each source."""
