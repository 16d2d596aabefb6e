{{ config(materialized="table") }}

-- A new plan can change every row, so this is computed whole. Row '' of an event is the event itself.
with events as (
    select uuid, event_type, event_properties, upload_hour, file, line
    from {{ ref("event_enhanced") }}
),

planned as (
    select event_type, property, bool_or(required) as required, any_value(types) as types
    from {{ source("tracking_plan", "plan") }}
    group by event_type, property
),

event_counts as (
    select event_type, count(*) as events from events group by event_type
),

seen as (
    select event_type, property, count(*) as seen
    from (
        select event_type, unnest(list_distinct(json_keys(event_properties))) as property
        from events
        where json_type(event_properties) = 'OBJECT'
    )
    where property <> ''
    group by event_type, property
    union all
    select event_type, '' as property, events as seen from event_counts
),

violations as (
    -- A plan speaks of top-level properties; what is wrong deeper is counted there. A name may have
    -- dots itself.
    select
        events.event_type,
        events.uuid,
        violation.keyword as keyword,
        case
            when exists (
                select 1 from planned
                where planned.event_type = events.event_type and planned.property = violation.path
            ) or (
                json_type(events.event_properties) = 'OBJECT'
                and list_contains(json_keys(events.event_properties), violation.path)
            ) then violation.path
            else split_part(violation.path, '.', 1)
        end as property
    from events
    inner join {{ source("tracking_plan", "event_verdicts") }} as verdict
        using (upload_hour, file, line),
        unnest(verdict.violations) as unnested(violation)
),

violated as (
    select
        event_type,
        property,
        sum(violations)::bigint as violations,
        to_json(map(list(keyword order by keyword), list(violations order by keyword)))
            ::varchar as violations_by_keyword
    from (
        select event_type, property, keyword, count(*) as violations
        from violations
        group by event_type, property, keyword
    )
    group by event_type, property
),

judged as (
    select
        events.event_type,
        count(verdict.verdict) filter (verdict.verdict <> 'unjudged') as judged,
        count(*) filter (verdict.verdict = 'violating') as violating
    from events
    left join {{ source("tracking_plan", "event_verdicts") }} as verdict
        using (upload_hour, file, line)
    group by events.event_type
),

pairs as (
    select event_type, property from planned
    union
    select event_type, property from seen
    union
    select event_type, property from violated
    union
    select event_type, '' as property from planned
)

select
    pairs.event_type,
    pairs.property,
    coalesce(event_counts.events, 0) as events,
    coalesce(judged.judged, 0) as judged,
    coalesce(seen.seen, 0) as seen,
    coalesce(seen.seen, 0) / event_counts.events as seen_share,
    case when pairs.property = '' then coalesce(judged.violating, 0) end as violating_events,
    coalesce(violated.violations, 0) as violations,
    coalesce(violated.violations_by_keyword, '{}') as violations_by_keyword,
    planned.types as planned_types,
    planned_event.event_type is not null as event_planned,
    planned.event_type is not null as planned,
    coalesce(planned.required, false) as required,
    planned.event_type is not null and seen.seen is null as planned_never_seen,
    planned_event.event_type is null as unplanned_event,
    -- Of an event with a refused rule it is not known what is planned.
    planned_event.event_type is not null and not planned_event.is_refused
        and planned.event_type is null and pairs.property <> '' as unplanned_property
from pairs
left join event_counts using (event_type)
left join judged using (event_type)
left join seen using (event_type, property)
left join violated using (event_type, property)
left join planned using (event_type, property)
left join (
    select event_type, bool_or(refused is not null) as is_refused
    from {{ source("tracking_plan", "plan") }}
    group by event_type
) as planned_event
    on pairs.event_type = planned_event.event_type
