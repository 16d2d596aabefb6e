{{ config(meta={
    "dagster": {"ref": {"name": "opportunity_history"}},
    "description": "The states of an opportunity follow each other without overlap, the last one open or ended.",
}) }}

{{ overlapping_states(ref("opportunity_history"), "opportunity_id") }}
