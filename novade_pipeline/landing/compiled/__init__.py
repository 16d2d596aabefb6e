"""Reading plain lines of JSON at the speed of the machine: Python that Numba compiles.

Numba keeps what it compiled until the file changes that it stands in, and looks at no other: a test
tells when `PARTS` of `scan.py` and `hashes.py` have to change with what they are made of.
"""
