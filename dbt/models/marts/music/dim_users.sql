{{ config(materialized="table") }}

-- As with tracks: a listener that the service never told of is inferred.
with told as (
    select * from {{ source("music", "users") }}
),

listening as (
    select distinct user_id
    from {{ source("music", "listen_history") }}
    where not is_deleted and user_id is not null
)

select
    id as user_id,
    first_name,
    last_name,
    email,
    gender,
    favorite_genres as favorite_genre,
    created_at,
    updated_at,
    is_deleted,
    false as is_inferred
from told
union all
select user_id, null, null, null, null, null, null, null, false, true
from listening
where user_id not in (select id from told)
