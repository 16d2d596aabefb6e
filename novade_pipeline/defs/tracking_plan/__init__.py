"""What events ought to look like, and whether they do.

Belongs here: reading a tracking plan from the file that Segment or Amplitude exports
(`plan_formats`), judging events against it (`judge`), the tables of both (`tables`) and their
wiring. A plan is JSON Schema per event; the verdict on an event is that of the reference library
`jsonschema`, always. What is done about a verdict belongs to whoever reads it.
"""
