{{ config(
    materialized="touched",
    unique_key="event_date",
    pre_hook="{{ touch_reconciliation() }}",
) }}

{%- set counts = [
    "segment_events", "amplitude_events", "matched", "only_segment", "only_amplitude", "other_time",
    "other_properties", "segment_twice", "amplitude_twice",
] %}
{%- set kinds = counts[3:] %}
with days as (
    {% if is_incremental() -%}
    select event_date from touched_reconciliation
    where exists (
        select 1 from {{ reconciled_days() }} as window_days
        where event_date between window_days.first_day and window_days.last_day
    )
    {%- else -%}
    select {{ each_day("first_day", "last_day") }} as event_date from {{ reconciled_days() }}
    {%- endif %}
),

copies as {{ computed_once() }} (
    select *, {{ differences_of("matched") }} as differences
    from (
        {{ copies_in_amplitude(
            "insert_id in (select insert_id from " ~ ref("matched_events")
            ~ " where segment_date in (select event_date from days)"
            ~ " or event_date in (select event_date from days))"
        ) }}
    ) as matched
),

of_segment as {{ computed_once() }} (
    select
        event.event_date,
        event.event_type,
        event.id,
        event.event_time,
        event.copies > 1 as is_twice,
        copies.uuid,
        copies.event_time as amplitude_time,
        copies.uuid is not null
            and abs(copies.seconds_later) > {{ var("time_tolerance_seconds") }} as is_other_time,
        copies.differences
    from {{ ref("segment_events") }} as event
    left join copies on event.id = copies.insert_id and copies.place = 1
    where event.event_date in (select event_date from days)
),

of_amplitude as {{ computed_once() }} (
    select
        event.event_date,
        event.event_type,
        coalesce(event.insert_id, 'uuid ' || event.uuid) as id,
        event.event_time,
        copies.place
    from {{ ref("event_enhanced") }} as event
    left join copies on event.uuid = copies.uuid and event.insert_id = copies.insert_id
    where event.event_date in (select event_date from days)
),

differences as (
    select event_date, event_type, 'only_segment' as kind, id, event_time,
        id || ' at ' || {{ iso_time("event_time") }} as example
    from of_segment where uuid is null
    union all
    select event_date, event_type, 'only_amplitude', id, event_time,
        id || ' at ' || {{ iso_time("event_time") }}
    from of_amplitude where place is null
    union all
    select event_date, event_type, 'other_time', id, event_time,
        id || ': Segment ' || {{ iso_time("event_time") }} || ', Amplitude ' || {{ iso_time("amplitude_time") }}
    from of_segment where is_other_time
    union all
    select event_date, event_type, 'other_properties', id, event_time, id || ': ' || differences
    from of_segment where differences <> ''
    union all
    select event_date, event_type, 'segment_twice', id, event_time, id
    from of_segment where is_twice
    union all
    select event_date, event_type, 'amplitude_twice', id, event_time, id
    from of_amplitude where place > 1
),

numbered as (
    select
        *,
        row_number() over (
            partition by event_date, event_type, kind order by event_time, id
        ) as place
    from differences
),

described as (
    select
        event_date,
        event_type,
        {% for kind in kinds -%}
        count(case when kind = '{{ kind }}' then 1 end) as {{ kind }},
        {{ examples_of(kind) }} as {{ kind }}_examples{{ "," if not loop.last }}
        {% endfor %}
    from numbered
    group by event_date, event_type
),

totals as (
    select
        event_date,
        event_type,
        cast(sum(segment_events) as bigint) as segment_events,
        cast(sum(amplitude_events) as bigint) as amplitude_events,
        cast(sum(matched) as bigint) as matched
    from (
        select
            event_date, event_type,
            count(*) as segment_events, 0 as amplitude_events, count(uuid) as matched
        from of_segment
        group by event_date, event_type
        union all
        select event_date, event_type, 0, count(*), 0
        from of_amplitude
        group by event_date, event_type
    ) as sides
    group by event_date, event_type
)

select
    totals.event_date,
    totals.event_type,
    totals.segment_events,
    totals.amplitude_events,
    totals.matched,
    {% for kind in kinds -%}
    coalesce(described.{{ kind }}, 0) as {{ kind }},
    {% endfor -%}
    {% for kind in kinds -%}
    coalesce(described.{{ kind }}_examples, {{ no_texts() }}) as {{ kind }}_examples{{ "," if not loop.last }}
    {% endfor %}
from totals
left join described
    on totals.event_date = described.event_date and totals.event_type = described.event_type
