{{ config(
    materialized="incremental",
    incremental_strategy="touched",
    unique_key=["person_id", "session_id"],
    pre_hook="{{ touch_sessions() }}",
    post_hook="{{ log_session_days() }}",
) }}

with events as (
    select *, struct_pack(event_time, upload_hour, file, line) as position
    from {{ ref("event_enhanced") }}
    where session_id is not null
    {% if is_incremental() %}
        and (person_id, session_id) in (select (person_id, session_id) from touched_sessions)
    {% endif %}
)

select
    session_key,
    person_id,
    session_id,
    cast(min(event_time) as date) as session_date,
    min(event_time) as started_at,
    max(event_time) as ended_at,
    epoch(max(event_time) - min(event_time)) as duration_seconds,
    count(*) as events,
    count(distinct event_type) as event_types,
    arg_min(event_type, position) as first_event_type,
    arg_max(event_type, position) as last_event_type,
    arg_max(user_id, position) as user_id,
    arg_max(device_id, position) as device_id,
    arg_max(platform, position) as platform,
    arg_max(os_name, position) as os_name,
    arg_max(version_name, position) as version_name,
    arg_max(language, position) as language,
    arg_max(country, position) as country,
    arg_max(city, position) as city
from events
group by session_key, person_id, session_id
