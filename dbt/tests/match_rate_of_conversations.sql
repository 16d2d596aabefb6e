{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "match_rates"}},
    "description": "Conversations whose contact has an address are matched to accounts. Warns below a share, `matched_conversations` of the project.",
}) }}

select what, matched, total, share
from {{ ref("match_rates") }}
where what = 'conversations' and share < {{ var("matched_conversations") }}
