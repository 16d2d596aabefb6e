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
        {{ object_keys("event_properties") }} as properties
    from {{ ref("event_enhanced") }}
    where {{ of_the_slice }}
),

verdicts as (
    select upload_date, upload_hour, file, line, event_type, verdict, violations
    from {{ source("tracking_plan", "event_verdicts") }} as judged
    where {{ of_the_slice }}
        and not exists (
            select 1 from {{ source("amplitude", "repeats") }} as repeated
            where repeated.upload_hour = judged.upload_hour
                and repeated.file = judged.file
                and repeated.line = judged.line
        )
),

-- Events of one type nearly always have one of a few sets of properties.
property_sets as {{ computed_once() }} (
    select upload_date, event_type, properties, count(*) as events
    from events
    group by upload_date, event_type, properties
),

violations as (
    select upload_date, upload_hour, file, line, event_type, {{ each_item("violations") }} as violation
    from verdicts
    where verdict = 'violating'
),

-- A plan speaks of top-level properties; what is wrong deeper is counted there. A name may have
-- dots itself.
violated as (
    select
        violations.upload_date,
        violations.event_type,
        violations.violation.keyword as keyword,
        case
            when planned.property is not null
                or {{ has_item("events.properties", "violations.violation.path") }}
                then violations.violation.path
            else split_part(violations.violation.path, '.', 1)
        end as property
    from violations
    inner join events using (upload_hour, file, line)
    left join (
        select distinct event_type, property from {{ source("tracking_plan", "plan") }}
    ) as planned
        on violations.event_type = planned.event_type
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
    select upload_date, event_type, '', 'judged', '', count(*)
    from verdicts
    where verdict <> 'unjudged'
    group by upload_date, event_type
    union all
    select upload_date, event_type, '', 'violating', '', count(*)
    from verdicts
    where verdict = 'violating'
    group by upload_date, event_type
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
