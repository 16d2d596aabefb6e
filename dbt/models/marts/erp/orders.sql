{{ config(materialized="table") }}

-- An account is found by a configured column of the customer's; one that several share finds none.
with account_of_key as (
    select {{ adapter.quote(var("erp_account_key")) }} as account_key, min(id) as account_id
    from {{ source("salesforce", "account") }}
    where not is_deleted and {{ adapter.quote(var("erp_account_key")) }} is not null
    group by {{ adapter.quote(var("erp_account_key")) }}
    having count(*) = 1
),

lines as (
    select order_id, count(*) as lines, sum(quantity) as quantity, sum(amount) as amount
    from {{ ref("order_lines") }}
    group by order_id
),

headers as (
    select
        header.order_id,
        header.customer_id,
        customer.name as customer_name,
        account_of_key.account_id,
        header.status,
        header.currency,
        header.ordered_at,
        {{ local_day("header.ordered_at") }} as order_date,
        coalesce(lines.lines, 0) as lines,
        cast(coalesce(lines.quantity, 0) as decimal(38, 7)) as quantity,
        cast(coalesce(lines.amount, 0) as decimal(38, 7)) as amount
    from {{ source("erp", "orders") }} as header
    left join {{ source("erp", "customers") }} as customer
        on header.customer_id = customer.customer_id
    left join account_of_key
        on cast(customer.{{ adapter.quote(var("erp_customer_key")) }} as varchar)
        = cast(account_of_key.account_key as varchar)
    left join lines on header.order_id = lines.order_id
    where not header.is_deleted
)

select
    headers.*,
    {{ in_corporate_currency("headers.amount", "headers.currency") }} as corporate_amount
from headers
