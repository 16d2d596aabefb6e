{{ config(
    materialized="touched",
    unique_key=["person_id", "session_id"],
    slices={"of": "event_enhanced", "by": "session_id", "bucket": whole_quotient("session_id", 86400000)},
    pre_hook="{{ touch_sessions() }}",
    post_hook="{{ log_sessions() }}",
) }}

{%- set last_known = [
    "user_id", "device_id", "platform", "os_name", "version_name", "language", "country", "city",
] %}
with events as {{ computed_by_use() }} (
    select event.*
    from {{ ref("event_enhanced") }} as event
    {% if is_incremental() -%}
    inner join touched_sessions as touched
        on event.person_id = touched.person_id and event.session_id = touched.session_id
    {%- endif %}
    where {{ in_slice("event.session_id", "bigint") }} and event.session_id is not null
),

numbered as {{ computed_by_use() }} (
    {{ positioned("events", [
        "person_id", "session_id", "session_key", "event_type", "effective_time",
    ] + last_known) }}
),

event_types as (
    select person_id, session_id, count(*) as event_types
    from (select distinct person_id, session_id, event_type from events) as types
    group by person_id, session_id
),

{{ with_latest(
    "numbered",
    key=["person_id", "session_id"],
    values=last_known,
    measures="count(*) as events, min(effective_time) as started_at, max(effective_time) as ended_at",
    at_first=["event_type"],
    at_last=["event_type"],
) }}

select
    {{ session_key("latest.person_id", "latest.session_id") }} as session_key,
    latest.person_id,
    latest.session_id,
    {{ local_day("latest.started_at") }} as session_date,
    latest.started_at,
    latest.ended_at,
    {{ seconds_between("latest.started_at", "latest.ended_at") }} as duration_seconds,
    latest.events,
    event_types.event_types,
    latest.first_event_type,
    latest.last_event_type,
    {% for name in last_known -%}
    latest.{{ name }}{{ "," if not loop.last }}
    {% endfor %}
from latest
inner join event_types using (person_id, session_id)
