{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "match_rates"}},
    "description": "Users at companies are matched to accounts. Warns below a share, `matched_users` of the project.",
}) }}

select what, matched, total, share
from {{ ref("match_rates") }}
where what = 'users_at_companies' and share < {{ var("matched_users") }}
