{{ config(materialized="table") }}

-- Who answers chats is a user of two systems: the address says which two are one person.
with sellers as (
    select {{ address("email") }} as address, min(id) as owner_id
    from {{ source("salesforce", "user") }}
    where not is_deleted
    group by address
    having count(*) = 1
),

chatters as (
    select
        chatter.id,
        coalesce(sellers.owner_id, 'drift:' || chatter.id) as owner_id,
        coalesce(chatter.name, chatter.alias) as name
    from {{ source("drift", "users") }} as chatter
    left join sellers on {{ address("chatter.email") }} = sellers.address
),

chats as (
    select
        {{ organisation_day("chat.created_at") }} as day,
        coalesce(chatters.owner_id, 'drift:' || chat.author_id) as owner_id,
        chatters.name,
        chat.conversation_id
    from ({{ chat_messages() }}) as chat
    left join chatters on chat.author_id = chatters.id
    where chat.author = 'human' and chat.author_id is not null
),

activities as (
    select
        {{ organisation_day("done_at") }} as day,
        owner_id,
        kind,
        count(*) as activities,
        count(distinct account_id) as accounts,
        sum(seconds) as seconds
    from ({{ done_activities() }})
    where owner_id is not null
    group by all
    union all
    -- A chat counts once a day for each who wrote in it.
    select day, owner_id, 'chat', count(distinct conversation_id), 0, 0
    from chats
    group by day, owner_id
),

names as (
    select owner_id, any_value(name) as name from chatters group by owner_id
)

select
    activities.day,
    activities.owner_id,
    activities.kind,
    coalesce(seller.name, names.name) as owner_name,
    activities.activities,
    activities.accounts,
    cast(activities.seconds as bigint) as seconds
from activities
left join {{ source("salesforce", "user") }} as seller on activities.owner_id = seller.id
left join names on activities.owner_id = names.owner_id
