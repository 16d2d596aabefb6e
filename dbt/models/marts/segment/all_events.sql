{{ config(
    materialized="touched",
    unique_key="event_key",
    pre_hook="{{ touch_all_events() }}",
    post_hook="{{ log_all_events() }}",
) }}

with of_segment as (
    select * from {{ ref("segment_events") }}
    {% if is_incremental() -%}
    where id in (select id from touched_ids)
    {%- endif %}
),

of_amplitude as (
    select
        uuid, insert_id, event_date, effective_time, event_type, person_id, user_id, device_id,
        event_properties, upload_hour, file, line
    from {{ ref("event_enhanced") }}
    {% if is_incremental() -%}
    where upload_hour in (select upload_hour from touched_hours)
        or insert_id in (select id from touched_ids)
    {%- endif %}
),

-- Of several events with one id the first counts.
copies as (
    select
        uuid,
        insert_id,
        row_number() over (partition by insert_id order by upload_hour, file, line) as place
    from of_amplitude
    where insert_id in (select id from of_segment)
),

matched as (
    select of_amplitude.*
    from of_amplitude
    inner join copies on of_amplitude.uuid = copies.uuid and copies.place = 1
),

sided as (
    select
        of_segment.*,
        matched.uuid,
        matched.event_date as amplitude_date,
        matched.effective_time as amplitude_time,
        matched.event_type as amplitude_type,
        matched.person_id as amplitude_person_id,
        matched.user_id as amplitude_user_id,
        matched.device_id as amplitude_device_id,
        matched.event_properties as amplitude_properties,
        matched.upload_hour,
        matched.uuid is not null and of_segment.event_date >= {{ cut_over() }} as is_after
    from of_segment
    left join matched on of_segment.id = matched.insert_id
),

persons as (
    select * from {{ ref("segment_persons") }}
)

select
    'segment:' || sided.id as event_key,
    sided.id as insert_id,
    sided.uuid,
    case when sided.is_after then sided.amplitude_date else sided.event_date end as event_date,
    case when sided.is_after then sided.amplitude_time else sided.effective_time end as effective_time,
    case when sided.is_after then sided.amplitude_type else sided.event_type end as event_type,
    coalesce(
        sided.amplitude_person_id,
        users.person_id,
        devices.person_id,
        -1 - {{ number_of_text("'event:' || sided.id") }}
    ) as person_id,
    case when sided.is_after then sided.amplitude_user_id else sided.user_id end as user_id,
    case when sided.is_after then sided.amplitude_device_id else sided.device_id end as device_id,
    case when sided.uuid is null then 'segment' else 'both' end as recorded_by,
    case when sided.is_after then 'amplitude' else 'segment' end as taken_from,
    sided.effective_time as segment_time,
    sided.amplitude_time,
    case when sided.is_after then sided.amplitude_properties else sided.event_properties end
        as event_properties,
    sided.upload_hour
from sided
left join persons as users on users.kind = 'user' and sided.known_user_id = users.subject
left join persons as devices
    on devices.kind = 'device' and sided.known_user_id is null and sided.device_id = devices.subject

union all

select
    'amplitude:' || event.uuid,
    event.insert_id,
    event.uuid,
    event.event_date,
    event.effective_time,
    event.event_type,
    event.person_id,
    event.user_id,
    event.device_id,
    'amplitude',
    'amplitude',
    null,
    event.effective_time,
    event.event_properties,
    event.upload_hour
from of_amplitude as event
where not exists (
    select 1 from {{ ref("segment_events") }} as known where known.id = event.insert_id
)
