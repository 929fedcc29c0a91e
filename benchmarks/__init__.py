"""Measured against peers, in one run, printed as ratios beside their goals."""
