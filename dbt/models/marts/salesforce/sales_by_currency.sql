{{ config(materialized="table") }}

-- Amounts as they were agreed on, added up within each currency and never across.
with sold as (
    select
        coalesce(account_id, '') as account_id,
        coalesce(owner_id, '') as owner_id,
        coalesce(currency_iso_code, '') as currency_iso_code,
        count(*) as opportunities,
        count(*) filter (status = 'won') as won,
        count(*) filter (status = 'lost') as lost,
        count(*) filter (status = 'pipeline') as pipeline,
        count(*) filter (status = 'other') as other,
        sum(amount) filter (status = 'won') as won_amount,
        sum(amount) filter (status = 'lost') as lost_amount,
        sum(amount) filter (status = 'pipeline') as pipeline_amount
    from {{ ref("opportunity_enhanced") }}
    group by all
),

ordered as (
    select
        coalesce(account_id, '') as account_id,
        coalesce(owner_id, '') as owner_id,
        coalesce(currency_iso_code, '') as currency_iso_code,
        count(*) as orders,
        sum(total_amount) as order_amount
    from {{ source("salesforce", "order") }}
    where not is_deleted
    group by all
)

select
    account_id,
    owner_id,
    currency_iso_code,
    coalesce(sold.opportunities, 0) as opportunities,
    coalesce(sold.won, 0) as won,
    coalesce(sold.lost, 0) as lost,
    coalesce(sold.pipeline, 0) as pipeline,
    coalesce(sold.other, 0) as other,
    coalesce(sold.won_amount, 0) as won_amount,
    coalesce(sold.lost_amount, 0) as lost_amount,
    coalesce(sold.pipeline_amount, 0) as pipeline_amount,
    coalesce(ordered.orders, 0) as orders,
    coalesce(ordered.order_amount, 0) as order_amount
from sold
full join ordered using (account_id, owner_id, currency_iso_code)
