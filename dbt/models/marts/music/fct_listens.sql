{{ config(materialized="table") }}

-- A history that the service no longer has counts no more; its rows stay in the lake.
with present as (
    select * from {{ source("music", "listen_history") }} where not is_deleted
),

histories as (
    {{ items_with_positions("present", ["history_id", "user_id", "created_at", "updated_at"], "items") }}
)

select
    histories.history_id || ':' || histories.position as listen_id,
    histories.history_id,
    histories.position,
    tracks.track_id,
    users.user_id,
    histories.created_at as listened_at,
    cast(histories.created_at as date) as listen_date,
    histories.updated_at
from histories
inner join {{ ref("dim_tracks") }} as tracks on histories.item = tracks.track_id
left join {{ ref("dim_users") }} as users on histories.user_id = users.user_id
