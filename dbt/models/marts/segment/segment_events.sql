{{ config(materialized="table") }}

-- Each call once: the copy of the event's own table, which has the properties, and of several the
-- newest. The row is found by its keys first; the wide columns follow by a join.
with landed as (
    select
        'track' as kind, id, upload_hour, file, line, upload_date,
        case when source_table in ('tracks', 'tracks_view') then 1 else 0 end as is_partial
    from {{ source("segment", "tracks") }}
    union all
    select 'page', id, upload_hour, file, line, upload_date, 0 from {{ source("segment", "pages") }}
),

ranked as (
    select
        kind, id, upload_hour, file, line,
        -- An event is in `tracks` and in a table of its own; twice in one of these is too often.
        greatest(
            count(case when is_partial = 0 then 1 end) over (partition by id),
            count(case when is_partial = 1 then 1 end) over (partition by id)
        ) as copies,
        row_number() over (
            partition by id order by is_partial, upload_hour desc, kind, file, line
        ) as place
    from landed
),

wide as (
    select
        'track' as kind, upload_hour, file, line, dataset, id, event_text as event_type,
        {{ segment_columns() }}
    from {{ source("segment", "tracks") }}
    union all
    select
        'page', upload_hour, file, line, dataset, id,
        -- As Segment's Amplitude destination names them.
        case
            when source_table like 'screens%' and name is not null then 'Viewed ' || name || ' Screen'
            when source_table like 'screens%' then 'Loaded a Screen'
            when name is not null then 'Viewed ' || name || ' Page'
            else 'Loaded a Page'
        end,
        {{ segment_columns() }}
    from {{ source("segment", "pages") }}
),

links as (
    {% for table in ("tracks", "pages", "identifies") -%}
    select {{ meant_id("anonymous_id") }} as device_id, {{ meant_id("user_id") }} as user_id
    from {{ source("segment", table) }}
    union
    {% endfor -%}
    select {{ meant_id("previous_id") }}, {{ meant_id("user_id") }}
    from {{ source("segment", "aliases") }}
),

-- A device that several users had is nobody's.
owners as (
    select device_id, min(user_id) as user_id
    from links
    where device_id is not null and user_id is not null
    group by device_id
    having min(user_id) = max(user_id)
)

select
    wide.id,
    {{ local_day("wide.effective_time") }} as event_date,
    wide.effective_time,
    wide.event_time,
    wide.event_type,
    wide.user_id,
    wide.device_id,
    coalesce(wide.user_id, owners.user_id) as known_user_id,
    wide.received_at,
    wide.event_properties,
    wide.context,
    wide.dataset,
    ranked.copies,
    wide.received_hour
from wide
inner join ranked
    on wide.upload_hour = ranked.upload_hour
    and wide.file = ranked.file
    and wide.line = ranked.line
    and ranked.place = 1
left join owners on wide.device_id = owners.device_id
-- What follows finds an event by its hour.
order by wide.received_hour
