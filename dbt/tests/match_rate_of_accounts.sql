{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "match_rates"}},
    "description": "Accounts use the product. Warns below a share, `accounts_with_usage` of the project.",
}) }}

select what, matched, total, share
from {{ ref("match_rates") }}
where what = 'accounts_with_usage' and share < {{ var("accounts_with_usage") }}
