"""The outside world, for the demo and the tests.

What belongs here: stand-ins for the systems that the pipeline reads (export files, HTTP servers, a
ticket producer). They speak the vendors' formats, faults included, and know nothing of the lake:
nothing here imports `novade_pipeline.lake` or `novade_pipeline.defs`.
"""
