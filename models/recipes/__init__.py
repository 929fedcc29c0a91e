"""How each model file is made: every import below registers its recipes, in this order."""

from . import sound, landmarks, picture  # noqa: F401, I001
from .recipe import RECIPES

__all__ = ["RECIPES"]
