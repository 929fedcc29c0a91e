"""Cutting, stacking and thinning a stream."""
