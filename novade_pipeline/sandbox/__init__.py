"""Stand-ins for the outside world, for the demo and the tests.

Here are the systems that the pipeline reads: export files and HTTP servers, in the vendors'
formats, with their faults. They do not depend on `novade_pipeline.defs`.
"""
