{{ config(materialized="table") }}

-- Listens to tracks of no known genre count in the total, and have no row of their own.
with listens as (
    select
        listens.user_id,
        tracks.genre,
        listens.track_id,
        listens.listened_at
    from {{ ref("fct_listens") }} as listens
    inner join {{ ref("dim_tracks") }} as tracks using (track_id)
    where listens.user_id is not null
),

totals as (
    select user_id, count(*) as listens from listens group by user_id
),

by_genre as (
    select
        user_id,
        genre,
        count(*) as listens,
        count(distinct track_id) as tracks,
        max(listened_at) as last_listened_at
    from listens
    where genre is not null
    group by user_id, genre
)

select
    by_genre.user_id,
    by_genre.genre,
    by_genre.listens,
    by_genre.tracks,
    by_genre.listens / totals.listens as share,
    rank() over (partition by by_genre.user_id order by by_genre.listens desc) as genre_rank,
    coalesce(lower(users.favorite_genre) = lower(by_genre.genre), false) as is_favorite,
    by_genre.last_listened_at
from by_genre
inner join totals using (user_id)
inner join {{ ref("dim_users") }} as users using (user_id)
