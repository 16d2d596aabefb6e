{{ config(
    materialized="touched",
    unique_key=["event_date", "person_id"],
    slices={"of": "event_enhanced", "by": "event_date", "bucket": "event_date"},
    pre_hook="{{ touch_user_days() }}",
    post_hook="{{ log_user_days() }}",
) }}

{%- set last_known = [
    "user_id", "device_id", "platform", "os_name", "version_name", "language", "country", "region",
    "city", "paying", "user_properties", "groups",
] %}
{%- set measures -%}
    count(*) as events,
    count(user_id) > 0 as known,
    min(effective_time) as first_seen,
    max(effective_time) as last_seen,
    min(user_creation_time) as created_at,
    {{ distinct_values("event_type") }} as event_types,
    {{ distinct_values("device_id") }} as device_ids,
    {{ distinct_values("amplitude_id") }} as amplitude_ids
{%- endset %}
with events as (
    select
        {% for name in [
            "event_date", "person_id", "effective_time", "upload_hour", "file", "line",
            "event_type", "amplitude_id", "user_creation_time",
        ] + last_known[:-1] -%}
        event.{{ name }},
        {% endfor -%}
        nullif(event.groups, '{}') as groups
    from {{ ref("event_enhanced") }} as event
    {% if is_incremental() -%}
    inner join touched_user_days as touched
        on event.event_date = touched.event_date and event.person_id = touched.person_id
    {%- endif %}
    where {{ in_slice("event.event_date", "date") }}
),

numbered as (
    {{ positioned("events", [
        "event_date", "person_id", "effective_time", "event_type", "amplitude_id",
        "user_creation_time",
    ] + last_known) }}
),

{{ with_latest(
    "numbered", key=["event_date", "person_id"], values=last_known, measures=measures
) }}

select
    event_date,
    person_id,
    events,
    known,
    first_seen,
    last_seen,
    created_at,
    event_types,
    device_ids,
    amplitude_ids,
    {% for name in last_known -%}
    {{ name }}{{ "," if not loop.last }}
    {% endfor %}
from latest
