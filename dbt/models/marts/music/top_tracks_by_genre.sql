{{ config(materialized="table") }}

-- The ten most listened tracks of each genre; tracks that tie share a rank, and all are named.
with counted as (
    select
        track_id,
        count(*) as listens,
        count(distinct user_id) as listeners
    from {{ ref("fct_listens") }}
    group by track_id
),

ranked as (
    select
        tracks.genre,
        rank() over (partition by tracks.genre order by counted.listens desc) as genre_rank,
        tracks.track_id,
        tracks.name,
        tracks.artist,
        counted.listens,
        counted.listeners
    from counted
    inner join {{ ref("dim_tracks") }} as tracks using (track_id)
    where tracks.genre is not null
)

select * from ranked where genre_rank <= 10
