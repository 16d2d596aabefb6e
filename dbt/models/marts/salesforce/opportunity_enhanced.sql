{{ config(materialized="table") }}

with opportunities as (
    select
        *,
        {{ opportunity_status() }} as status,
        {{ organisation_day("created_date") }} as created_day
    from {{ source("salesforce", "opportunity") }}
    where not is_deleted
),

items as (
    select
        item.opportunity_id,
        count(*) as line_items,
        sum(item.quantity) as line_item_quantity,
        sum(item.total_price) as line_item_amount,
        string_agg(distinct product.family, ', ' order by product.family) as product_families
    from {{ source("salesforce", "opportunity_line_item") }} as item
    left join {{ source("salesforce", "product") }} as product on item.product2_id = product.id
    where not item.is_deleted
    group by item.opportunity_id
)

select
    opportunity.id as opportunity_id,
    opportunity.name,
    opportunity.status,
    opportunity.stage_name,
    opportunity.forecast_category,
    opportunity.type,
    opportunity.lead_source,
    opportunity.account_id,
    account.name as account_name,
    opportunity.owner_id,
    owner.name as owner_name,
    opportunity.amount,
    opportunity.currency_iso_code,
    {{ in_corporate_currency(
        "opportunity.amount", "opportunity.currency_iso_code", "opportunity.close_date"
    ) }} as corporate_amount,
    {{ corporate_currency() }} as corporate_currency,
    opportunity.probability,
    cast(opportunity.amount * opportunity.probability * 0.01 as decimal(38, 6)) as expected_amount,
    coalesce(items.line_items, 0) as line_items,
    items.line_item_quantity,
    items.line_item_amount,
    items.product_families,
    opportunity.created_date as created_at,
    opportunity.close_date,
    coalesce(opportunity.is_closed, false) as is_closed,
    {{ days_between(
        "opportunity.created_day",
        "case when opportunity.is_closed then opportunity.close_date"
        ~ " else " ~ organisation_day(salesforce_now()) ~ " end"
    ) }} as days_open,
    {{ days_between("opportunity.created_day", "opportunity.close_date") }} as days_to_close,
    opportunity.last_activity_date,
    opportunity.system_modstamp as changed_at
from opportunities as opportunity
left join items on opportunity.id = items.opportunity_id
left join {{ source("salesforce", "account") }} as account on opportunity.account_id = account.id
left join {{ source("salesforce", "user") }} as owner on opportunity.owner_id = owner.id
