"""From lines of JSON to typed rows, exact by RFC 8259; for whatever lines come from.

Read in this order: `parser`, `plain_lines` with `compiled`, `irregular_lines`, `strict_lines`,
`field_by_field`, `extra_fields`.
"""
