{{ config(materialized="table") }}

-- Each state of an opportunity stands from the end of the day on which it began to the end of the
-- day before the one on which it ended. Before the first state that was seen, what is known is when
-- the opportunity was made and closed: until it closed it was in the pipeline, at a stage that
-- nobody knows any more.
with versions as (
    select
        *,
        {{ opportunity_status() }} as status,
        cast(valid_from as date) as from_day,
        cast(valid_to as date) as until_day,
        cast(created_date as date) as created_day,
        row_number() over (partition by opportunity_id order by valid_from) = 1 as is_first
    from {{ ref("opportunity_history") }}
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
    select from_day, until_day, status, stage_name, amount, 0 as inferred from versions
    union all
    select decided_day, from_day, status, stage_name, amount, 1 from firsts
    union all
    select created_day, decided_day, 'pipeline', null, amount, 1 from firsts
),

-- What came and what went on each day; amounts as decimals, whose sums come back to nothing.
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
        sum(sign) as opportunities,
        sum(sign * cast(amount as decimal(28, 4))) as amount,
        sum(sign * inferred) as inferred
    from changes
    group by all
),

-- To the newest day that the history knows of.
grid as (
    select days.day, pairs.status, pairs.stage_name
    from (
        select cast(unnest(generate_series(
            (select min(day) from by_day),
            (select greatest(max(from_day), max(until_day)) from versions),
            interval 1 day
        )) as date) as day
    ) as days
    cross join (select distinct status, stage_name from by_day) as pairs
)

select
    day,
    status,
    stage_name,
    cast(sum(coalesce(by_day.opportunities, 0)) over so_far as bigint) as opportunities,
    cast(sum(coalesce(by_day.amount, 0)) over so_far as double) as amount,
    cast(sum(coalesce(by_day.inferred, 0)) over so_far as bigint) as inferred_opportunities
from grid
left join by_day using (day, status, stage_name)
window so_far as (partition by status, stage_name order by day)
