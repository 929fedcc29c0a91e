"""``python -m tmstream``."""

from .cli import main

main()
