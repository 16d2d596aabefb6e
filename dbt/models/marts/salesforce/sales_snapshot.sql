{{ config(materialized="table") }}

-- Each state of an opportunity stands from the end of the day on which it began to the end of the
-- day before the one on which it ended. Before the first state that was seen, what is known is when
-- the opportunity was made and closed: until it closed it was in the pipeline, at a stage that
-- nobody knows any more.
with versions as (
    select
        history.*,
        {{ opportunity_status() }} as status,
        {{ organisation_day("history.valid_from") }} as from_day,
        {{ organisation_day("history.valid_to") }} as until_day,
        {{ organisation_day("history.created_date") }} as created_day,
        row_number() over (
            partition by opportunity_id order by history.valid_from, history.valid_to nulls last
        ) = 1 as is_first,
        {{ in_corporate_currency("history.amount", "currency", "history.close_date") }}
            as corporate_amount
    from (
        -- States that were seen before histories had currencies have the one of today.
        select
            state.*,
            coalesce(state.currency_iso_code, opportunity.currency_iso_code) as currency
        from {{ ref("opportunity_history") }} as state
        left join {{ source("salesforce", "opportunity") }} as opportunity
            on state.opportunity_id = opportunity.id
    ) as history
),

firsts as (
    select
        *,
        case when is_closed
            then least(from_day, greatest(created_day, coalesce(close_date, created_day)))
            else created_day
        end as decided_day
    from versions
    where is_first and created_day < from_day
),

spans as (
    select
        from_day, until_day, status, stage_name, currency, amount, corporate_amount, 0 as inferred
    from versions
    union all
    select decided_day, from_day, status, stage_name, currency, amount, corporate_amount, 1
    from firsts
    union all
    select created_day, decided_day, 'pipeline', null, currency, amount, corporate_amount, 1
    from firsts
),

-- What came and what went on each day; amounts are decimals, whose sums come back to nothing.
changes as (
    select from_day as day, 1 as sign, * from spans where until_day is null or from_day < until_day
    union all
    select until_day as day, -1 as sign, * from spans where from_day < until_day
),

by_day as (
    select
        day,
        status,
        coalesce(stage_name, 'unknown') as stage_name,
        coalesce(currency, '') as currency_iso_code,
        sum(sign) as opportunities,
        sum(sign * amount) as amount,
        sum(sign * corporate_amount) as corporate_amount,
        sum(sign) filter (amount is not null and corporate_amount is null) as without_rate,
        sum(sign * inferred) as inferred
    from changes
    group by all
),

-- To the newest day that the history knows of.
grid as (
    select days.day, groups.status, groups.stage_name, groups.currency_iso_code
    from (
        select {{ each_day(
            "(select min(day) from by_day)",
            "(select greatest(max(from_day), max(until_day)) from versions)"
        ) }} as day
    ) as days
    cross join (select distinct status, stage_name, currency_iso_code from by_day) as groups
)

select
    day,
    status,
    stage_name,
    currency_iso_code,
    cast(sum(coalesce(by_day.opportunities, 0)) over so_far as bigint) as opportunities,
    cast(sum(coalesce(by_day.amount, 0)) over so_far as decimal(38, 6)) as amount,
    case when sum(coalesce(by_day.without_rate, 0)) over so_far = 0
        then cast(sum(coalesce(by_day.corporate_amount, 0)) over so_far as decimal(38, 6))
    end as corporate_amount,
    cast(sum(coalesce(by_day.inferred, 0)) over so_far as bigint) as inferred_opportunities
from grid
left join by_day using (day, status, stage_name, currency_iso_code)
window so_far as (partition by status, stage_name, currency_iso_code order by day)
