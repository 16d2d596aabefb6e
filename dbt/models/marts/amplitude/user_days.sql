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
{%- set lists = [
    ("event_types", "event_type"), ("device_ids", "device_id"), ("amplitude_ids", "amplitude_id"),
] %}
{%- set measures -%}
    count(*) as events,
    count(user_id) > 0 as known,
    min(effective_time) as first_seen,
    max(effective_time) as last_seen,
    min(user_creation_time) as created_at
{%- endset %}
with events as {{ computed_by_use() }} (
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

numbered as {{ computed_by_use() }} (
    {{ positioned("events", [
        "event_date", "person_id", "effective_time", "event_type", "amplitude_id",
        "user_creation_time",
    ] + last_known) }}
),

{% for list, item in lists %}
{{ list }}_of_days as (
    select event_date, person_id, {{ sorted_list(item) }} as {{ list }}
    from (select distinct event_date, person_id, {{ item }} from events) as items
    where {{ item }} is not null
    group by event_date, person_id
),
{% endfor %}

{{ with_latest(
    "numbered", key=["event_date", "person_id"], values=last_known, measures=measures
) }}

select
    event_date,
    person_id,
    latest.events,
    latest.known,
    latest.first_seen,
    latest.last_seen,
    latest.created_at,
    coalesce(event_types_of_days.event_types, {{ no_texts() }}) as event_types,
    coalesce(device_ids_of_days.device_ids, {{ no_texts() }}) as device_ids,
    coalesce(amplitude_ids_of_days.amplitude_ids, {{ no_numbers() }}) as amplitude_ids,
    {% for name in last_known -%}
    latest.{{ name }}{{ "," if not loop.last }}
    {% endfor %}
from latest
{% for list, item in lists -%}
left join {{ list }}_of_days using (event_date, person_id)
{% endfor %}
