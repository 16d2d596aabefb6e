{{ config(materialized="table") }}

-- Any event can move somebody's first week, so this is computed whole.
with active as (
    select distinct person_id, cast(date_trunc('week', event_date) as date) as week
    from {{ ref("event_enhanced") }}
),

cohorts as (
    select person_id, min(week) as cohort_week from active group by person_id
),

sizes as (
    select cohort_week, count(*) as cohort_size from cohorts group by cohort_week
),

weeks as (
    select
        sizes.cohort_week,
        sizes.cohort_size,
        cast(unnest(generate_series(
            sizes.cohort_week, (select max(week) from active), interval 7 day
        )) as date) as week
    from sizes
),

returned as (
    select cohorts.cohort_week, active.week, count(*) as users
    from active
    inner join cohorts using (person_id)
    group by cohorts.cohort_week, active.week
)

select
    weeks.cohort_week,
    weeks.week,
    cast((weeks.week - weeks.cohort_week) // 7 as bigint) as week_number,
    weeks.cohort_size,
    coalesce(returned.users, 0) as users,
    coalesce(returned.users, 0) / weeks.cohort_size as retention
from weeks
left join returned using (cohort_week, week)
