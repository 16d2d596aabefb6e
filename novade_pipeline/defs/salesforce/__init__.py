"""A Salesforce organisation: its objects as tables, with the fields that its describe names.

Belongs here: what each object's table must have (`tables`), the fields that the organisation adds
(`fields`), how it is logged in to and asked (`session`, `reading`), what a load does (`load`,
`sweep`), and their wiring.
"""
