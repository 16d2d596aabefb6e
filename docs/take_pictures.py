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
MOST_SECONDS = 120
# Right of it is the page; left of it are menus, which name the same things.
PAGE_LEFT = 560
_WARNING = "quarantine?view=checks&checkDetail=nothing_in_quarantine"
_PICTURE = "(//*[contains(text(), 'Show Markdown')])[2]"
# Name -> path, window size, what is clicked first.
SHOTS: dict[str, tuple[str, tuple[int, int], list[str]]] = {
    "graph": ("/assets/marts/event_enhanced?view=lineage", (1900, 1000), []),
    "asset": ("/assets/marts/sessions", (1500, 1250), []),
    "picture": ("/assets/tracking_plan/event_verdicts", (1500, 1000), [_PICTURE]),
    "checks": (f"/assets/amplitude/{_WARNING}", (1500, 900), []),
    "runs": ("/runs", (1500, 620), []),
}


def _wait_until_loaded(browser: webdriver.Chrome) -> None:
    """Wait until nothing on the page is still loading: a busy machine takes long."""
    end = time.monotonic() + MOST_SECONDS
    time.sleep(WAIT_SECONDS)
    while "Loading" in browser.find_element(By.TAG_NAME, "body").text and time.monotonic() < end:
        time.sleep(1)


def main(url: str) -> None:
    """Write one PNG a shot."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for argument in ("--headless", "--no-sandbox", "--disable-background-networking"):
        options.add_argument(argument)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        for name, (path, size, clicks) in SHOTS.items():
            browser.set_window_size(*size)
            browser.get(url + path)
            _wait_until_loaded(browser)
            for click in clicks:
                found = browser.find_elements(By.XPATH, click)
                on_page = [element for element in found if element.location["x"] > PAGE_LEFT]
                if on_page:
                    browser.execute_script("arguments[0].click()", on_page[0])
                time.sleep(WAIT_SECONDS / 2)
            browser.save_screenshot(str(PICTURES / f"{name}.png"))
            print(PICTURES / f"{name}.png")
    finally:
        browser.quit()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000")
