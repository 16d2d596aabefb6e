{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "match_rates"}},
    "description": "Conversations whose contact has an address are matched to accounts, at least the share matched_conversations of dbt_project.yml.",
    "remedy": "See marts/customer_matches for those without a match: add their companies' websites in Salesforce.",
}) }}

select what, matched, total, share
from {{ ref("match_rates") }}
where what = 'conversations' and share < {{ var("matched_conversations") }}
