"""The door to Pillow: one picture from a file or bytes, its size checked before its pixels."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np

from ..core.errors import InputError
from ..core.packet import UInt8

#: A 49 kB file can claim 2 GB of pixels: the header is read first.
MAX_PIXELS = 16_000_000

#: Endings that are read as a picture.
PICTURE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


def decode_picture(what: Path | bytes) -> UInt8:
    """Return a picture as uint8 RGB (h, w, 3), turned upright as its EXIF says.

    Transparency is laid over white; of an animation, the first frame.

    Raises:
        InputError: it cannot be read, or has more than 16 megapixels.
    """
    from PIL import Image, ImageOps

    name = what.name if isinstance(what, Path) else "picture"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow warns of bombs and of damaged metadata
        try:
            with Image.open(io.BytesIO(what) if isinstance(what, bytes) else what) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    size = f"{picture.width} x {picture.height}"
                    raise InputError(f"{name}: {size} pixels is more than 16 megapixels")
                upright = ImageOps.exif_transpose(picture)
                if upright.mode[0] in "IF":  # 16 bits or more a channel
                    deep = np.asarray(upright, np.float64)
                    grey = (deep / max(deep.max(), 1.0) * 255).astype(np.uint8)
                    upright = Image.fromarray(grey)
                if upright.has_transparency_data:
                    upright = upright.convert("RGBA")
                    white = Image.new("RGBA", upright.size, "white")
                    upright = Image.alpha_composite(white, upright)
                return np.array(upright.convert("RGB"))
        except InputError:
            raise
        # Decoders raise OSError, SyntaxError, struct.error, EOFError, warnings and more.
        except Exception as error:
            raise InputError(f"{name}: cannot be read as a picture ({error})") from error
