{{ config(
    materialized="incremental",
    incremental_strategy="touched",
    unique_key="person_id",
    pre_hook="{{ touch_users() }}",
) }}

with events as (
    select *, struct_pack(event_time, upload_hour, file, line) as position
    from {{ ref("event_enhanced") }}
    {% if is_incremental() %}
    where person_id in (select person_id from touched_user_enhanced)
    {% endif %}
)

select
    person_id,
    arg_max(user_id, position) as user_id,
    count(user_id) > 0 as known,
    min(event_time) as first_seen,
    max(event_time) as last_seen,
    min(event_date) as first_date,
    max(event_date) as last_date,
    count(*) as events,
    count(distinct session_id) as sessions,
    count(distinct event_date) as active_days,
    count(distinct event_type) as event_types,
    coalesce(
        list_sort(list(distinct amplitude_id) filter (amplitude_id is not null)), []::bigint[]
    ) as amplitude_ids,
    count(distinct amplitude_id) as amplitude_id_count,
    count(distinct device_id) as devices,
    min(user_creation_time) as created_at,
    arg_max(device_id, position) as device_id,
    arg_max(platform, position) as platform,
    arg_max(os_name, position) as os_name,
    arg_max(version_name, position) as version_name,
    arg_max(language, position) as language,
    arg_max(country, position) as country,
    arg_max(region, position) as region,
    arg_max(city, position) as city,
    arg_max(paying, position) as paying,
    arg_max(user_properties, position) as user_properties,
    arg_max(groups, position) filter (groups <> '{}') as groups
from events
group by person_id
