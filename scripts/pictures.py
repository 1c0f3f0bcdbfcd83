"""Take the pictures of the documents: the wall of a city that has run for a while, in English and Chinese."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"
SETTLE_MS = 20_000


def main() -> None:
    """Run a city in a temporary folder and photograph its wall."""
    with tempfile.TemporaryDirectory() as folder:
        command = [Path(sys.executable).with_name("cityneuron"), "up", "--port", "0", "--data", folder]
        city = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert city.stdout is not None
        try:
            while "Ctrl-C" not in (line := city.stdout.readline()):
                assert line, "the city ended"
            wall = json.loads((Path(folder) / "run.json").read_text())["cloud"]
            take(wall)
        finally:
            city.terminate()
            city.communicate(timeout=60)


def take(wall: str) -> None:
    """Write wall-en.png and wall-zh.png."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(wall)
        page.wait_for_timeout(SETTLE_MS)
        for language in ("en", "zh"):
            page.goto(f"{wall}/#lang={language}")
            page.reload()
            page.wait_for_timeout(5_000)
            page.screenshot(path=IMAGES / f"wall-{language}.png")
            print(f"docs/images/wall-{language}.png")
        browser.close()


if __name__ == "__main__":
    main()
