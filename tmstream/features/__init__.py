"""From samples and pictures to log-mel frames and landmarks."""
