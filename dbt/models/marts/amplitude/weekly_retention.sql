{{ config(
    materialized="touched",
    unique_key="week",
    pre_hook="{{ touch_weekly_retention() }}",
) }}

with active as (
    select distinct
        {{ week_of("person.first_date") }} as cohort_week,
        {{ week_of("day.event_date") }} as week,
        day.person_id
    from {{ ref("user_days") }} as day
    inner join {{ ref("user_enhanced") }} as person on day.person_id = person.person_id
    {% if is_incremental() -%}
    where day.event_date >= (select min(week) from touched_weeks)
        and {{ week_of("day.event_date") }} in (select week from touched_weeks)
    {%- endif %}
),

returned as (
    select cohort_week, week, count(*) as users from active group by cohort_week, week
    {% if is_incremental() -%}
    union all
    select cohort_week, week, users from kept_weekly_retention
    {%- endif %}
),

-- In its first week all of a cohort are there.
cohorts as (
    select cohort_week, users as cohort_size from returned where week = cohort_week
),

weeks as (
    select
        cohort_week,
        cohort_size,
        {{ each_day("cohort_week", "last_week", 7) }} as week
    from cohorts
    cross join (select max(week) as last_week from returned) as ends
)

select
    weeks.cohort_week,
    weeks.week,
    {{ weeks_between("weeks.cohort_week", "weeks.week") }} as week_number,
    weeks.cohort_size,
    coalesce(returned.users, 0) as users,
    coalesce(returned.users, 0) / weeks.cohort_size as retention
from weeks
left join returned using (cohort_week, week)
