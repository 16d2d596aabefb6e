{{ config(
    materialized="touched",
    unique_key="upload_date",
    slices={"of": "event_enhanced", "by": "upload_date", "bucket": "upload_date"},
    pre_hook="{{ touch_coverage_by_day() }}",
    post_hook="{{ log_coverage_by_day() }}",
) }}

{%- set of_the_slice -%}
    {{ in_slice("upload_date", "date") }}
    {%- if is_incremental() %}
        and upload_date in (select upload_date from touched_coverage_by_day)
    {%- endif %}
{%- endset %}
with events as (
    select
        upload_date,
        upload_hour,
        file,
        line,
        event_type,
        event_properties
    from {{ ref("event_enhanced") }}
    where {{ of_the_slice }}
),

repeats as (
    select upload_hour, file, line from {{ source("amplitude", "repeats") }}
    where {{ of_the_slice }}
),

-- Copies are few: they are counted and taken off.
verdicts as {{ computed_once() }} (
    select upload_date, event_type, verdict, sum(events) as events
    from (
        select upload_date, event_type, verdict, count(*) as events
        from {{ source("tracking_plan", "event_verdicts") }}
        where {{ of_the_slice }}
        group by upload_date, event_type, verdict
        union all
        select judged.upload_date, judged.event_type, judged.verdict, -1
        from {{ source("tracking_plan", "event_verdicts") }} as judged
        inner join repeats using (upload_hour, file, line)
        where {{ of_the_slice }}
    ) as counts
    group by upload_date, event_type, verdict
    having sum(events) > 0
),

-- Events of one type nearly always have one of a few lists of properties.
property_sets as {{ computed_once() }} (
    select upload_date, event_type, {{ distinct_items("properties") }} as properties, events
    from (
        select
            upload_date,
            event_type,
            {{ object_keys("event_properties") }} as properties,
            count(*) as events
        from events
        group by all
    ) as lists
),

violations as (
    select upload_hour, file, line, {{ each_item("violations") }} as violation
    from {{ source("tracking_plan", "event_verdicts") }} as judged
    where {{ of_the_slice }} and verdict = 'violating' and not exists (
        select 1 from repeats
        where repeats.upload_hour = judged.upload_hour
            and repeats.file = judged.file
            and repeats.line = judged.line
    )
),

-- A plan speaks of top-level properties; what is wrong deeper is counted there. A name may have
-- dots itself.
violated as (
    select
        events.upload_date,
        events.event_type,
        violations.violation.keyword as keyword,
        case
            when planned.property is not null
                or {{ has_item(object_keys("events.event_properties"), "violations.violation.path") }}
                then violations.violation.path
            else split_part(violations.violation.path, '.', 1)
        end as property
    from violations
    inner join events using (upload_hour, file, line)
    left join (
        select distinct event_type, property from {{ source("tracking_plan", "plan") }}
    ) as planned
        on events.event_type = planned.event_type
        and violations.violation.path = planned.property
),

measures as (
    select upload_date, event_type, '' as property, 'events' as measure, '' as keyword, events as value
    from property_sets
    union all
    select upload_date, event_type, property, 'seen', '', events
    from (
        select upload_date, event_type, {{ each_item("properties") }} as property, events
        from property_sets
    ) as seen
    where property <> ''
    union all
    select upload_date, event_type, '', 'judged', '', events
    from verdicts
    where verdict <> 'unjudged'
    union all
    select upload_date, event_type, '', 'violating', '', events
    from verdicts
    where verdict = 'violating'
    union all
    select upload_date, event_type, property, 'violations', keyword, count(*)
    from violated
    group by upload_date, event_type, property, keyword
)

select
    upload_date,
    event_type,
    property,
    measure,
    keyword,
    cast(sum(value) as bigint) as value
from measures
group by upload_date, event_type, property, measure, keyword
