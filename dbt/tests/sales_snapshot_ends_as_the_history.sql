{{ config(meta={
    "dagster": {"ref": {"name": "sales_snapshot"}},
    "description": "On the last day stand as many opportunities as the history holds open states.",
}) }}

select counted.opportunities, open.states
from (
    select coalesce(sum(opportunities), 0) as opportunities
    from {{ ref("sales_snapshot") }}
    where day = (select max(day) from {{ ref("sales_snapshot") }})
) as counted
cross join (
    select count(*) as states from {{ ref("opportunity_history") }} where valid_to is null
) as open
where counted.opportunities <> open.states
