{{ config(
    materialized="touched",
    unique_key="upload_hour",
    view_while_empty="segment_events",
    pre_hook="{{ touch_all_events() }}",
) }}

{%- set of_amplitude_alone = is_view(this) %}
{% if not of_amplitude_alone -%}
with of_segment as (
    select * from {{ ref("segment_events") }}
    {% if is_incremental() -%}
    where received_hour in (select upload_hour from touched_all_events)
    {%- endif %}
),

copies as {{ computed_once() }} (
    select *, place = 1 and segment_date >= {{ cut_over() }} as is_taken
    from (
        {%- if is_incremental() %}
        {{ copies_in_amplitude(
            "insert_id in (select id from of_segment union all select insert_id from "
            ~ ref("matched_events")
            ~ " where upload_hour in (select upload_hour from touched_all_events))"
        ) }}
        {%- else %}
        {{ copies_in_amplitude("true") }}
        {%- endif %}
    ) as matched
),

persons as (
    select * from {{ ref("segment_persons") }}
)

select
    'segment:' || event.id as event_key,
    event.id as insert_id,
    copies.uuid,
    event.event_date,
    event.effective_time,
    event.event_type,
    coalesce(
        copies.person_id,
        users.person_id,
        devices.person_id,
        -1 - {{ number_of_text("'event:' || event.id") }}
    ) as person_id,
    event.user_id,
    event.device_id,
    case when copies.uuid is null then 'segment' else 'both' end as recorded_by,
    'segment' as taken_from,
    event.event_time as segment_time,
    copies.event_time as amplitude_time,
    event.event_properties,
    cast(event.received_hour as date) as upload_date,
    event.received_hour as upload_hour
from of_segment as event
left join copies on event.id = copies.insert_id and copies.place = 1
left join persons as users on users.kind = 'user' and event.known_user_id = users.subject
left join persons as devices
    on devices.kind = 'device' and event.known_user_id is null and event.device_id = devices.subject
where not coalesce(copies.is_taken, false)

union all
{%- endif %}

select
    {% if of_amplitude_alone -%}
    'amplitude:' || event.uuid as event_key,
    {%- else -%}
    case
        when copies.uuid is null then 'amplitude:' || event.uuid
        else 'segment:' || event.insert_id
    end as event_key,
    {%- endif %}
    event.insert_id,
    event.uuid,
    event.event_date,
    event.effective_time,
    event.event_type,
    event.person_id,
    event.user_id,
    event.device_id,
    {% if of_amplitude_alone -%}
    'amplitude' as recorded_by,
    'amplitude' as taken_from,
    cast(null as {{ timestamp_type() }}) as segment_time,
    {%- else -%}
    case when copies.uuid is null then 'amplitude' else 'both' end as recorded_by,
    'amplitude' as taken_from,
    copies.segment_time,
    {%- endif %}
    event.event_time as amplitude_time,
    event.event_properties,
    event.upload_date,
    event.upload_hour
from {{ ref("event_enhanced") }} as event
{%- if not of_amplitude_alone %}
left join copies on event.uuid = copies.uuid and event.insert_id = copies.insert_id
where coalesce(copies.is_taken, true)
    {% if is_incremental() -%}
    and event.upload_hour in (select upload_hour from touched_all_events)
    {%- endif %}
{%- endif %}
