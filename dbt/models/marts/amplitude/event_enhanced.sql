{{ config(
    materialized="touched",
    unique_key="upload_hour",
    pre_hook="{{ touch_event_enhanced() }}",
    post_hook="{{ log_event_enhanced() }}",
) }}

-- What an event is counted by: ids that are meant, and a time that its upload vouches for.
{%- set as_landed = [
    "uuid", "event_type", "event_time", "amplitude_id", "insert_id", "event_id",
    "client_event_time", "server_upload_time", "user_creation_time", "platform", "os_name",
    "os_version", "version_name", "start_version", "library", "language", "country", "region",
    "city", "dma", "ip_address", "location_lat", "location_lng", "device_type", "device_family",
    "device_manufacturer", "device_brand", "device_model", "device_carrier", "paying",
    "event_properties", "user_properties", "group_properties", "groups", "upload_date",
    "upload_hour", "file", "line",
] %}
with landed as (
    {% if is_incremental() %}
    {{ in_changed_windows(source("amplitude", "events")) }}
    {% else %}
    select * from {{ source("amplitude", "events") }}
    {% endif %}
),

repeats as (
    {% if is_incremental() %}
    {{ in_changed_windows(source("amplitude", "repeats"), "upload_hour, file, line") }}
    {% else %}
    select upload_hour, file, line from {{ source("amplitude", "repeats") }}
    {% endif %}
),

standing as (
    select
        {% for name in as_landed %}landed.{{ name }},
        {% endfor -%}
        {{ meant_id("landed.user_id") }} as user_id,
        {{ meant_id("landed.device_id") }} as device_id,
        nullif(landed.session_id, -1) as session_id,
        {{ clock_is_off("landed") }} as clock_is_off
    from landed
    where not exists (
        select 1 from repeats
        where repeats.upload_hour = landed.upload_hour
            and repeats.file = landed.file
            and repeats.line = landed.line
    )
),

owned as (
    select
        event.*,
        case when event.clock_is_off then event.upload_hour else event.event_time end
            as effective_time,
        {{ person_id("event", "identity") }} as person_id
    from standing as event
    left join {{ source("amplitude", "identities") }} as identity
        on event.amplitude_id = identity.amplitude_id
)

select
    uuid,
    {{ local_day("effective_time") }} as event_date,
    effective_time,
    event_time,
    clock_is_off,
    event_type,
    person_id,
    {{ session_key("person_id", "session_id") }} as session_key,
    session_id,
    amplitude_id,
    user_id,
    device_id,
    insert_id,
    event_id,
    client_event_time,
    server_upload_time,
    user_creation_time,
    platform,
    os_name,
    os_version,
    version_name,
    start_version,
    library,
    language,
    country,
    region,
    city,
    dma,
    ip_address,
    location_lat,
    location_lng,
    device_type,
    device_family,
    device_manufacturer,
    device_brand,
    device_model,
    device_carrier,
    paying,
    event_properties,
    user_properties,
    group_properties,
    groups,
    upload_date,
    upload_hour,
    file,
    line
from owned
