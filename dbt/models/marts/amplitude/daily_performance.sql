{{ config(
    materialized="incremental",
    incremental_strategy="touched",
    unique_key="event_date",
    pre_hook="{{ touch_days() }}",
) }}

with grid as (
    {{ days_by_event_type() }}
),

wanted as (
    select event_date, event_type from grid
    {% if is_incremental() %}
    where event_date in (select event_date from touched_daily_performance)
    {% endif %}
),

events as (
    select event_date, event_type, person_id, session_key
    from {{ ref("event_enhanced") }}
    {% if is_incremental() %}
    where event_date in (select event_date from touched_daily_performance)
    {% endif %}
),

first_days as (
    select person_id, min(event_date) as first_date
    from {{ ref("event_enhanced") }}
    {% if is_incremental() %}
    where person_id in (select person_id from events)
    {% endif %}
    group by person_id
),

measured as (
    select
        events.event_date,
        events.event_type,
        count(*) as events,
        count(distinct events.session_key) as sessions,
        count(distinct events.person_id) as users,
        count(distinct events.person_id)
            filter (first_days.first_date = events.event_date) as new_users
    from events
    inner join first_days using (person_id)
    group by events.event_date, events.event_type
)

select
    wanted.event_date,
    wanted.event_type,
    coalesce(measured.events, 0) as events,
    coalesce(measured.sessions, 0) as sessions,
    coalesce(measured.users, 0) as users,
    coalesce(measured.new_users, 0) as new_users
from wanted
left join measured using (event_date, event_type)
