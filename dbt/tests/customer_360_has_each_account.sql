{{ config(meta={
    "dagster": {"ref": {"name": "customer_360"}},
    "description": "Each account that is not deleted, and each matched user, is counted exactly once.",
}) }}

select counted.accounts, counted.users, there.accounts, matched.users
from (select count(*) as accounts, coalesce(sum(users), 0) as users from {{ ref("customer_360") }}) as counted
cross join (
    select count(*) as accounts from {{ source("salesforce", "account") }} where not is_deleted
) as there
cross join (
    select count(*) as users from {{ ref("customer_matches") }}
    where kind = 'product_user' and outcome = 'matched'
) as matched
where counted.accounts <> there.accounts or counted.users <> matched.users
