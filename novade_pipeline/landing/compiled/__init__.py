"""Reading plain lines of JSON at the speed of the machine: Python that Numba compiles.

Numba keeps what it compiled until `scan.py` changes, and looks at no other file: a test tells when
`scan.PARTS` has to change with the others.
"""
