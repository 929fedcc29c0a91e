import asyncio
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from tmstream.backends.pictures import decode_picture
from tmstream.capture.pictures import Pictures
from tmstream.core.errors import InputError
from tmstream.core.packet import Gap, Image
from tmstream.testing import FakeServices, check_declared

RED = np.zeros((20, 30, 3), np.uint8)
RED[:, :, 0] = 250


def shown(path, **params):
    async def all_of():
        source = Pictures(str(path), **params)
        await source.open(FakeServices())
        return [packet async for packet in source.packets()]

    return asyncio.run(all_of())


def test_a_folder_by_name_with_a_gap_before_each(tmp_path):
    for name in ("b.png", "a.jpg", "c.bmp"):
        Pillow.fromarray(RED).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    made = shown(tmp_path, every_s=0.5)
    assert [type(packet.data) for packet in made] == [Gap, Image] * 3
    assert [packet.t_us for packet in made] == [0, 0, 500_000, 500_000, 1_000_000, 1_000_000]
    assert all(abs(int(p.data.pixels[5, 5, 0]) - 250) < 4 for p in made[1::2])


def test_one_picture(tmp_path):
    Pillow.fromarray(RED).save(tmp_path / "one.png")
    assert np.array_equal(shown(tmp_path / "one.png")[1].data.pixels, RED)


def test_exif_turns_it_upright(tmp_path):
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turned a quarter to the left by the camera
    Pillow.fromarray(RED).save(tmp_path / "turned.jpg", exif=exif)
    assert decode_picture(tmp_path / "turned.jpg").shape == (30, 20, 3)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "I;16", "LA"])
def test_every_kind_of_pixel_becomes_rgb(tmp_path, mode):
    if mode == "I;16":
        grey = Pillow.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)
    else:
        grey = Pillow.fromarray(RED).convert(mode)
    path = tmp_path / ("one.tiff" if mode in ("CMYK", "I;16") else "one.png")
    grey.save(path)
    made = decode_picture(path)
    assert made.dtype == np.uint8
    assert made.shape == (20, 30, 3)
    assert made.max() > 60


def test_transparency_is_laid_over_white(tmp_path):
    clear = np.zeros((8, 8, 4), np.uint8)
    Pillow.fromarray(clear).save(tmp_path / "clear.png")
    assert (decode_picture(tmp_path / "clear.png") == 255).all()


def bomb(width, height):
    """Return a PNG of a few bytes that claims to be huge."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


def test_a_bomb_is_refused_by_its_header():
    import tracemalloc

    tracemalloc.start()
    for size in ((5000, 5000), (50_000, 50_000), (2**31 - 1, 2**31 - 1)):
        with pytest.raises(InputError):
            decode_picture(bomb(*size))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\xff\xd8\xff\xe0 broken", b"text"])
def test_what_is_no_picture_says_so(content):
    with pytest.raises(InputError, match="cannot be read"):
        decode_picture(content)


def test_an_empty_folder_says_so(tmp_path):
    with pytest.raises(InputError, match="no picture"):
        shown(tmp_path)
    with pytest.raises(ValueError, match="every_s"):
        Pictures("x", every_s=0)


def test_it_declares_what_it_gives():
    check_declared(Pictures("photos"))
