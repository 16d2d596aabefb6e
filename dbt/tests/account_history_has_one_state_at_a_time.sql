{{ config(meta={
    "dagster": {"ref": {"name": "account_history"}},
    "description": "The states of an account follow each other without overlap, the last one open or ended.",
}) }}

{{ overlapping_states(ref("account_history"), "account_id") }}
