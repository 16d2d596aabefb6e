{{ config(materialized="table") }}

-- A track that is listened to and that the service never told of is inferred: it has a row without
-- a name, so that every listen finds its track.
with told as (
    select * from {{ source("music", "tracks") }}
),

listened as (
    select distinct track_id
    from (
        select {{ each_item("items") }} as track_id
        from {{ source("music", "listen_history") }}
        where not is_deleted
    ) as items
)

select
    id as track_id,
    name,
    artist,
    songwriters,
    album,
    genres as genre,
    duration_seconds,
    created_at,
    updated_at,
    is_deleted,
    false as is_inferred
from told
union all
select track_id, null, null, null, null, null, null, null, null, false, true
from listened
where track_id not in (select id from told)
