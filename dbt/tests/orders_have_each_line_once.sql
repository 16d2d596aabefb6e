{{ config(meta={
    "dagster": {"ref": {"name": "orders"}},
    "description": "Each order of the ERP and each of its lines is counted once, with its amount.",
}) }}

select counted.orders, counted.lines, told.orders as expected_orders, told.lines as expected_lines
from (
    select count(*) as orders, coalesce(sum(lines), 0) as lines from {{ ref("orders") }}
) as counted
cross join (
    select count(distinct header.order_id) as orders, count(line.order_id) as lines
    from {{ source("erp", "orders") }} as header
    left join {{ source("erp", "order_lines") }} as line
        on header.order_id = line.order_id and not line.is_deleted
    where not header.is_deleted
) as told
where counted.orders <> told.orders or counted.lines <> told.lines
