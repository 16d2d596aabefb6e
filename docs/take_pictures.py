"""Takes the README's pictures of the web page that `make ui` has open.

    .venv/bin/python docs/take_pictures.py [http://127.0.0.1:3000]

Needs Debian's chromium and chromium-driver.
"""

import shutil
import sys
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By

PICTURES = Path(__file__).with_name("pictures")
WAIT_SECONDS = 6
# Name -> path, window size, text of what is clicked first.
SHOTS = {
    "graph": ("/asset-groups?expanded=all", (1700, 900), None),
    "asset": ("/assets/marts/weekly_retention", (1500, 1250), None),
    "checks": ("/assets/amplitude/quarantine?view=checks", (1500, 900), "nothing_in_quarantine"),
    "runs": ("/runs", (1500, 620), None),
}


def main(url: str) -> None:
    """Write one PNG a shot."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for argument in ("--headless", "--no-sandbox", "--disable-background-networking"):
        options.add_argument(argument)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        for name, (path, size, click) in SHOTS.items():
            browser.set_window_size(*size)
            browser.get(url + path)
            time.sleep(WAIT_SECONDS)
            if click is not None:
                browser.find_element(By.XPATH, f"//*[text()='{click}']").click()
                time.sleep(WAIT_SECONDS)
            browser.save_screenshot(str(PICTURES / f"{name}.png"))
            print(PICTURES / f"{name}.png")
    finally:
        browser.quit()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000")
