"""The only doors to big libraries, and the files they load."""
