{{ config(materialized="table") }}

-- A track that is listened to and that the service never told of is inferred: it has a row without
-- a name, so that every listen finds its track.
with told as (
    select * from {{ source("music", "tracks") }}
),

listened as (
    select distinct unnest(items) as track_id
    from {{ source("music", "listen_history") }}
    where not is_deleted
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
union all by name
select track_id, false as is_deleted, true as is_inferred
from listened
where track_id not in (select id from told)
