{{ config(
    materialized="incremental",
    incremental_strategy="touched",
    unique_key="uuid",
    pre_hook=["{{ touch_events() }}", "{{ narrow_events() }}"],
    post_hook="{{ log_event_changes() }}",
) }}

with standing as (
    {% if is_incremental() %}
    select uuid, upload_hour, file, line from standing_copies
    {% else %}
    {{ standing_copies("true") }}
    {% endif %}
)

select
    event.uuid,
    cast(event.event_time as date) as event_date,
    event.event_time,
    event.event_type,
    {{ person_id("event", "identity") }} as person_id,
    case when event.session_id <> -1
        then {{ person_id("event", "identity") }} || ':' || event.session_id
    end as session_key,
    nullif(event.session_id, -1) as session_id,
    event.amplitude_id,
    event.user_id,
    event.device_id,
    event.insert_id,
    event.event_id,
    event.client_event_time,
    event.server_upload_time,
    event.user_creation_time,
    event.platform,
    event.os_name,
    event.os_version,
    event.version_name,
    event.start_version,
    event.library,
    event.language,
    event.country,
    event.region,
    event.city,
    event.dma,
    event.ip_address,
    event.location_lat,
    event.location_lng,
    event.device_type,
    event.device_family,
    event.device_manufacturer,
    event.device_brand,
    event.device_model,
    event.device_carrier,
    event.paying,
    event.event_properties,
    event.user_properties,
    event.group_properties,
    event.groups,
    event.upload_date,
    event.upload_hour,
    event.file,
    event.line
from {% if is_incremental() %}candidate_events{% else %}{{ source("amplitude", "events") }}{% endif %} as event
inner join standing using (uuid, upload_hour, file, line)
left join {{ source("amplitude", "identities") }} as identity
    on event.amplitude_id = identity.amplitude_id
