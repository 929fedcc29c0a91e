"""Files in the studio: dropped, chosen, exported and brought back; and the room made quiet."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.lab.conftest import RATE_HZ, sound, sounds_folder

from .test_studio import engine, part, takes, until

__all__ = ["engine"]

DROP = """([element, names, parts]) => {
    const transfer = new DataTransfer();
    names.forEach((name, i) => transfer.items.add(new File([Uint8Array.from(atob(parts[i]), (c) => c.charCodeAt(0))], name)));
    for (const type of ["dragover", "drop"])
        document.querySelector(element).dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


@pytest.fixture
def studio(engine: str, visitor: Callable[..., Any]) -> Iterator[Any]:
    page = visitor(engine, viewport={"width": 1440, "height": 900}, color_scheme="light")
    page.wait_for_selector(".adder:not([hidden]) input")
    return page


def reported(page: Any) -> str:
    until(
        page,
        "!document.querySelector('.job').hidden && document.querySelector('.job progress').hidden",
    )
    return str(page.inner_text(".job"))


def drop(page: Any, element: str, files: dict[str, bytes]) -> None:
    import base64

    page.evaluate(
        DROP, [element, list(files), [base64.b64encode(d).decode() for d in files.values()]]
    )


def test_files_come_go_and_come_again(studio: Any, tmp_path: Path, artefacts: Path) -> None:
    page = studio
    page.fill("[aria-label='Name of a new class']", "clap")
    page.click("text=Add class")
    claps = []
    for i in range(4):
        claps.append(tmp_path / f"clap {i}.wav")
        soundfile.write(claps[-1], sound("clap", i), RATE_HZ)
    with page.expect_file_chooser() as chosen:
        page.click('[data-label="clap"] >> text=Files…')
    chosen.value.set_files(claps[:3])
    assert "3 files taken" in reported(page)
    assert takes(page, "clap") == 3
    assert page.locator("[data-label='clap'] .takes small").all_inner_texts() == [
        "no. 3", "no. 2", "no. 1",
    ]  # fmt: skip
    assert "no. 3 · Sound · clap 2.wav" in page.get_attribute("[data-label='clap'] .play", "title")
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE_HZ), RATE_HZ)
    drop(page, '[data-label="clap"]', {
        "one more.wav": claps[3].read_bytes(), "quiet.wav": (tmp_path / "silence.wav").read_bytes(),
        "notes.txt": b"hello",
    })  # fmt: skip
    said = reported(page)
    assert "1 file taken" in said
    assert "2 skipped" in said
    assert "quiet.wav silent" in said.replace("\n", " ")
    page.screenshot(path=artefacts / "studio-files.png")
    assert takes(page, "clap") == 4
    page.click("text=Undo")
    until(page, "document.querySelector('[data-label=clap] .count').textContent.startsWith('3 ')")

    folder = sounds_folder(tmp_path / "set", 3, ("hum", "whistle"))
    packed = tmp_path / "set.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(folder.rglob("*.wav")):
            archive.write(file, file.relative_to(folder))
    with page.expect_file_chooser() as chosen:
        page.click("text=Import…")
    chosen.value.set_files(packed)
    assert "6 files taken" in reported(page)
    assert takes(page, "hum") == takes(page, "whistle") == 3

    # Each change is judged anew, and says what would help on the class itself.
    part(page, "How good")
    page.wait_for_selector("table.confusion")
    until(page, "document.querySelectorAll('table.confusion tbody tr').length === 3")

    with page.expect_download() as coming:
        page.click("text=Export")
    exported = tmp_path / coming.value.suggested_filename
    coming.value.save_as(exported)
    assert exported.name == "visit.zip"
    with zipfile.ZipFile(exported) as archive:
        assert "examples.jsonl" in archive.namelist()
        assert archive.testzip() is None
    page.click("text=Save a copy")
    assert "a copy is in" in reported(page)
    assert len(list(tmp_path.glob("visit 2*.tms"))) == 1

    page.click("[aria-label='Delete class hum']")
    until(page, "!document.querySelector('[data-label=hum]')")
    drop(page, "#teach .panel", {"visit.zip": exported.read_bytes()})
    assert "1 file taken (15 examples)" in reported(page)
    assert takes(page, "hum") == 3


def test_a_class_is_learned_from_variants_as_well_or_no_longer(
    studio: Any, tmp_path: Path, artefacts: Path
) -> None:
    page, files = studio, {}
    page.fill("[aria-label='Name of a new class']", "clap")
    page.click("text=Add class")
    switch = page.locator("[data-label=clap] >> text=learn variants too")
    assert not switch.count(), "there is nothing to vary"
    for i in range(2):
        soundfile.write(tmp_path / "clap.wav", sound("clap", i), RATE_HZ)
        files[f"clap {i}.wav"] = (tmp_path / "clap.wav").read_bytes()
    drop(page, "[data-label=clap]", files)
    assert "2 files taken" in reported(page)
    assert switch.get_attribute("aria-pressed") == "false"
    switch.click()
    pressed = "document.querySelector('[data-key=\"vary clap\"]').ariaPressed"
    until(page, f"{pressed} === 'true'", timeout=120_000)  # a child process begins, and librosa
    assert "variants made" in reported(page)
    assert takes(page, "clap") == 2, "they belong to the takes they are of"
    page.screenshot(path=artefacts / "studio-variants.png")
    switch.click()
    assert "variants deleted" in reported(page)
    until(page, f"{pressed} === 'false'")


def test_the_room_is_made_quiet(studio: Any, artefacts: Path) -> None:
    page = studio
    page.fill("[aria-label='Name of a new class']", "clap")
    page.click("text=Add class")
    import io

    files = {}
    for i in range(3):
        out = io.BytesIO()
        soundfile.write(out, sound("hum", i), RATE_HZ, format="WAV")  # the performer hums, too
        files[f"{i}.wav"] = out.getvalue()
    drop(page, '[data-label="clap"]', files)
    assert "3 files taken" in reported(page)
    part(page, "How good")
    page.fill(".room input", "5")
    page.click("text=Listen to the room")
    until(page, "document.querySelector('.room .hint').textContent.startsWith('Listening:')")
    page.screenshot(path=artefacts / "studio-room.png")
    until(page, "document.querySelector('.room .hint').textContent.startsWith('It had answered')")
    assert "now none" in page.inner_text(".room .hint")
    page.screenshot(path=artefacts / "studio-room-quiet.png")
    page.click("text=Undo")
    page.wait_for_selector("text=taken back")


def test_what_takes_too_long_can_be_stopped(studio: Any, tmp_path: Path) -> None:
    page, files = studio, {}
    page.fill("[aria-label='Name of a new class']", "clap")
    page.click("text=Add class")
    for i in range(40):
        soundfile.write(tmp_path / "clap.wav", sound("clap", i), RATE_HZ)
        files[f"clap {i}.wav"] = (tmp_path / "clap.wav").read_bytes()
    drop(page, "[data-label=clap]", files)
    page.click(".job button:text('Stop')")
    assert "stopped; what was taught before is kept" in reported(page)
    assert not page.locator(".job button:text('Stop')").is_visible()
    drop(page, "[data-label=clap]", {"one.wav": files["clap 39.wav"]})
    assert "1 file" in reported(page)
