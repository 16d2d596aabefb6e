{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "match_rates"}},
    "description": "Users at companies are matched to accounts, at least the share matched_users of dbt_project.yml.",
    "remedy": "See marts/customer_matches for those without a match: add their companies' websites in Salesforce.",
}) }}

select what, matched, total, share
from {{ ref("match_rates") }}
where what = 'users_at_companies' and share < {{ var("matched_users") }}
