"""Spark: how a session is configured, which jars it gets, and work handed to its executors.

Read in this order: `conf`, `jars`, `executors`. Executors run the same kernels as this process
does; the driver collects what they report and commits.
"""
