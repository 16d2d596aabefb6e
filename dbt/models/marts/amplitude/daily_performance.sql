{{ config(
    materialized="touched",
    unique_key=["event_date", "event_type"],
    pre_hook="{{ touch_daily_performance() }}",
) }}

with
{% if is_incremental() %}
measured as (
    select * from measured_daily_performance
),

grid as (
    select grid.event_date, grid.event_type
    from grid_daily_performance as grid
    inner join touched_daily_performance using (event_date, event_type)
)
{% else %}
measured as {{ computed_once() }} (
    {{ measured_days("true") }}
),

grid as (
    {{ days_by_event_type("measured") }}
)
{% endif %}

select
    grid.event_date,
    grid.event_type,
    coalesce(measured.events, 0) as events,
    coalesce(measured.sessions, 0) as sessions,
    coalesce(measured.users, 0) as users,
    coalesce(measured.new_users, 0) as new_users
from grid
left join measured using (event_date, event_type)
