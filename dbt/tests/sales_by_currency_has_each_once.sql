{{ config(meta={
    "dagster": {"ref": {"name": "sales_by_currency"}},
    "description": "Each account, owner and currency stands once, and each opportunity is counted once.",
}) }}

select account_id, owner_id, currency_iso_code, count(*) as times
from {{ ref("sales_by_currency") }}
group by all
having count(*) > 1
union all
select null, null, null, counted.opportunities
from (
    select coalesce(sum(opportunities), 0) as opportunities from {{ ref("sales_by_currency") }}
) as counted
cross join (select count(*) as opportunities from {{ ref("opportunity_enhanced") }}) as told
where counted.opportunities <> told.opportunities
