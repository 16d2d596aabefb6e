{{ config(materialized="table") }}

-- A line whose order or product the ERP no longer has is none of an order; it stays in the lake.
select
    line.order_id || ':' || line.line_number as order_line_id,
    line.order_id,
    line.line_number,
    header.customer_id,
    header.status,
    header.currency,
    header.ordered_at,
    {{ local_day("header.ordered_at") }} as order_date,
    line.product_id,
    product.sku,
    product.name as product_name,
    cast(line.quantity as decimal(38, 7)) as quantity,
    cast(line.unit_price as decimal(38, 7)) as unit_price,
    cast(line.quantity * line.unit_price as decimal(38, 7)) as amount
from {{ source("erp", "order_lines") }} as line
inner join {{ source("erp", "orders") }} as header
    on line.order_id = header.order_id and not header.is_deleted
left join {{ source("erp", "products") }} as product on line.product_id = product.product_id
where not line.is_deleted
