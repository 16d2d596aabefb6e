{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "match_rates"}},
    "description": "Accounts use the product, at least the share accounts_with_usage of dbt_project.yml.",
    "remedy": "See marts/customer_matches for those without a match: an account needs a website or contacts with addresses.",
}) }}

select what, matched, total, share
from {{ ref("match_rates") }}
where what = 'accounts_with_usage' and share < {{ var("accounts_with_usage") }}
