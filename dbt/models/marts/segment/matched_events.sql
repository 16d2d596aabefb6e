{{ config(
    materialized="touched",
    unique_key="upload_hour",
    pre_hook="{{ touch_matched_events() }}",
    post_hook="{{ log_matched_events() }}",
) }}

with pairs as (
    select
        event.insert_id,
        event.uuid,
        segment.event_date as segment_date,
        segment.event_type as segment_type,
        segment.event_time as segment_time,
        segment.event_properties as segment_properties,
        event.event_date,
        event.event_type,
        event.event_time,
        event.event_properties,
        event.person_id,
        event.upload_date,
        event.upload_hour,
        event.file,
        event.line
    from {{ ref("event_enhanced") }} as event
    inner join {{ ref("segment_events") }} as segment on event.insert_id = segment.id
    {% if is_incremental() -%}
    where event.upload_hour in (select upload_hour from touched_matched_events)
        and segment.received_hour in (select received_hour from matched_hours)
    {%- endif %}
),

-- A value that one side alone has is left over.
unequal as (
    select uuid, name
    from (
        {{ property_values("pairs", ["uuid"], "event_properties", 1) }}
        union all
        {{ property_values("pairs", ["uuid"], "segment_properties", -1) }}
    ) as property
    group by uuid, name, value
    having sum(side) <> 0
),

differing as (
    select uuid, {{ distinct_values("name") }} as names
    from unequal
    group by uuid
)

select
    pairs.insert_id,
    pairs.uuid,
    pairs.segment_date,
    pairs.segment_type,
    pairs.segment_time,
    pairs.event_date,
    pairs.event_type,
    pairs.event_time,
    {{ seconds_between("pairs.segment_time", "pairs.event_time") }} as seconds_later,
    coalesce(differing.names, {{ no_texts() }}) as differing_properties,
    pairs.person_id,
    pairs.upload_date,
    pairs.upload_hour,
    pairs.file,
    pairs.line
from pairs
left join differing on pairs.uuid = differing.uuid
