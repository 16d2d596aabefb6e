"""`novade sandbox salesforce` as a person types it."""

import subprocess
from contextlib import closing
from pathlib import Path

import httpx

from novade_pipeline.sandbox.serving import listen
from novade_pipeline_tests.commands import NOVADE


def test_it_says_which_settings_to_use_and_serves(tmp_path: Path) -> None:
    arguments = ("sandbox", "salesforce", "--port", "0", "--people", "20", "--daily-limit", "7")
    with subprocess.Popen(
        (*NOVADE, *arguments), cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            settings = dict(process.stdout.readline().strip().split("=", 1) for _ in range(3))
            url = settings["NOVADE_SALESFORCE_URL"]
            token = httpx.post(
                f"{url}/services/oauth2/token",
                data={
                    "grant_type": "client_credentials",
                    "client_id": settings["NOVADE_SALESFORCE_CLIENT_ID"],
                    "client_secret": settings["NOVADE_SALESFORCE_CLIENT_SECRET"],
                },
            ).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            answer = httpx.get(f"{url}/services/data/v60.0/limits", headers=headers)
        finally:
            process.kill()
    assert answer.json()["DailyApiRequests"] == {"Max": 7, "Remaining": 6}


def test_a_port_in_use_is_reported_in_one_sentence(tmp_path: Path) -> None:
    with closing(listen(0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            (*NOVADE, "sandbox", "salesforce", "--port", port),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 2
    assert f"novade sandbox salesforce: port {port}: Address already in use." in done.stderr
    assert "Traceback" not in done.stderr
