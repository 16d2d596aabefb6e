{{ config(materialized="table") }}

-- Row '' of an event is the event itself.
with planned as (
    select event_type, property, bool_or(required) as required, max(types) as types
    from {{ source("tracking_plan", "plan") }}
    group by event_type, property
),

measured as (
    select
        event_type,
        property,
        cast(sum(case when measure in ('seen', 'events') then value else 0 end) as bigint) as seen,
        cast(sum(case when measure = 'judged' then value else 0 end) as bigint) as judged,
        cast(sum(case when measure = 'violating' then value else 0 end) as bigint) as violating,
        cast(sum(case when measure = 'violations' then value else 0 end) as bigint) as violations
    from {{ ref("coverage_by_day") }}
    group by event_type, property
),

by_keyword as (
    select event_type, property, {{ json_of_counts("keyword", "violations") }} as violations_by_keyword
    from (
        select event_type, property, keyword, cast(sum(value) as bigint) as violations
        from {{ ref("coverage_by_day") }}
        where measure = 'violations'
        group by event_type, property, keyword
    ) as counted
    group by event_type, property
),

pairs as (
    select event_type, property from measured
    union
    select event_type, property from planned
    union
    select event_type, '' as property from planned
)

select
    pairs.event_type,
    pairs.property,
    coalesce(event.seen, 0) as events,
    coalesce(event.judged, 0) as judged,
    coalesce(measured.seen, 0) as seen,
    coalesce(measured.seen, 0) / nullif(event.seen, 0) as seen_share,
    case when pairs.property = '' then coalesce(event.violating, 0) end as violating_events,
    coalesce(measured.violations, 0) as violations,
    coalesce(by_keyword.violations_by_keyword, '{}') as violations_by_keyword,
    planned.types as planned_types,
    planned_event.event_type is not null as event_planned,
    planned.event_type is not null as planned,
    coalesce(planned.required, false) as required,
    planned.event_type is not null and coalesce(measured.seen, 0) = 0 as planned_never_seen,
    planned_event.event_type is null as unplanned_event,
    -- Of an event with a refused rule it is not known what is planned.
    planned_event.event_type is not null and not planned_event.is_refused
        and planned.event_type is null and pairs.property <> '' as unplanned_property
from pairs
left join measured as event on pairs.event_type = event.event_type and event.property = ''
left join measured
    on pairs.event_type = measured.event_type and pairs.property = measured.property
left join by_keyword
    on pairs.event_type = by_keyword.event_type and pairs.property = by_keyword.property
left join planned
    on pairs.event_type = planned.event_type and pairs.property = planned.property
left join (
    select event_type, bool_or(refused is not null) as is_refused
    from {{ source("tracking_plan", "plan") }}
    group by event_type
) as planned_event
    on pairs.event_type = planned_event.event_type
