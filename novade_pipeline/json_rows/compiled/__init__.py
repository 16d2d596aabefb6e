"""Reading plain lines of JSON at the speed of the machine: Python that Numba compiles.

Numba caches a compiled function until its own file changes, and checks no other file: a test fails
when `PARTS` of `scan.py`, `rewrite.py` and `hashes.py` has to change with what they import. It
unpickles an old cache of the same function before it checks it: rename the function with its types.
"""
