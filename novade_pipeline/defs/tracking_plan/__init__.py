"""Tracking plans, and the verdict on each event.

Belongs here: reading a tracking plan from the file that Segment or Amplitude exports
(`plan_formats`), judging events against it (`judge`), the tables of both (`tables`) and their
wiring. A plan is JSON Schema per version of an event; the verdict on an event is that of the
reference library `jsonschema` with the patterns of ECMA 262, always.

Read in this order: `plan`, `plan_formats`, `segment_plan`, `segment_envelope`, `references`,
`event_rules`, `amplitude_plan`; `judge`, `ecma_patterns`, `quick_verdict`, `event_versions`.
"""
