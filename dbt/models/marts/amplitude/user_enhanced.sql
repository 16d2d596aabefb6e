{{ config(
    materialized="touched",
    unique_key="person_id",
    pre_hook="{{ touch_user_enhanced() }}",
    post_hook="{{ log_user_enhanced() }}",
) }}

{%- set last_known = [
    "user_id", "device_id", "platform", "os_name", "version_name", "language", "country", "region",
    "city", "paying", "user_properties", "groups",
] %}
{%- set measures -%}
    max(known) as known,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen,
    min(event_date) as first_date,
    max(event_date) as last_date,
    cast(sum(events) as bigint) as events,
    count(*) as active_days,
    min(created_at) as created_at
{%- endset %}
with days as (
    select day.*, day.event_date as position
    from {{ ref("user_days") }} as day
    {% if is_incremental() -%}
    where day.person_id in (select person_id from touched_user_enhanced)
    {%- endif %}
),

{% for list, item in [
    ("event_types", "event_type"), ("device_ids", "device_id"), ("amplitude_ids", "amplitude_id"),
] %}
{{ list }} as (
    select person_id, {{ item }}
    from (select person_id, {{ each_item(list) }} as {{ item }} from days) as items
    group by person_id, {{ item }}
),

{{ list }}_counted as (
    select person_id, count(*) as items, min({{ item }}) as first_item
    from {{ list }}
    group by person_id
),
{% endfor %}

-- Nearly everybody has one: lists, which are held in memory, are made for the others alone.
several_amplitude_ids as (
    select person_id, {{ distinct_values("amplitude_id") }} as amplitude_ids
    from amplitude_ids
    where person_id in (select person_id from amplitude_ids_counted where items > 1)
    group by person_id
),

session_counts as (
    select person_id, count(*) as sessions
    from {{ ref("sessions") }}
    {% if is_incremental() -%}
    where person_id in (select person_id from touched_user_enhanced)
    {%- endif %}
    group by person_id
),

{{ with_latest("days", key=["person_id"], values=last_known, measures=measures) }}

select
    latest.person_id,
    latest.user_id,
    latest.known,
    latest.first_seen,
    latest.last_seen,
    latest.first_date,
    latest.last_date,
    latest.events,
    coalesce(session_counts.sessions, 0) as sessions,
    latest.active_days,
    event_types_counted.items as event_types,
    case
        when several_amplitude_ids.person_id is not null then several_amplitude_ids.amplitude_ids
        when amplitude_ids_counted.person_id is not null then {{ list_of("amplitude_ids_counted.first_item") }}
        else {{ no_numbers() }}
    end as amplitude_ids,
    coalesce(amplitude_ids_counted.items, 0) as amplitude_id_count,
    coalesce(device_ids_counted.items, 0) as devices,
    latest.created_at,
    latest.device_id,
    latest.platform,
    latest.os_name,
    latest.version_name,
    latest.language,
    latest.country,
    latest.region,
    latest.city,
    latest.paying,
    latest.user_properties,
    latest.groups
from latest
left join session_counts using (person_id)
left join event_types_counted using (person_id)
left join device_ids_counted using (person_id)
left join amplitude_ids_counted using (person_id)
left join several_amplitude_ids using (person_id)
