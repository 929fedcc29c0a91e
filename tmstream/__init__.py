"""Stream sound and pose through small nodes to one shared few-shot head."""

__version__ = "0.1.0"
