"""`dagster dev` as `novade ui` starts it, without hints that do not apply.

In a checkout Dagster warns that the folder's `dagster.yaml` is not used, since DAGSTER_HOME is set:
the home has the same one.
"""

import logging
import runpy
import warnings

if __name__ == "__main__":
    # A hint at `dg dev`, which would need another layout of the project.
    warnings.filterwarnings("ignore", "Function `dev_command` is superseded")
    logging.getLogger("dagster").addFilter(
        lambda record: "your DAGSTER_HOME environment variable is set" not in record.getMessage()
    )
    runpy.run_module("dagster", run_name="__main__", alter_sys=True)
