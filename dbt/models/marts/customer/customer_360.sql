{{ config(materialized="table") }}

with matches as (
    select * from {{ ref("customer_matches") }} where outcome = 'matched'
),

contacts as (
    select account_id, count(*) as contacts
    from {{ source("salesforce", "contact") }}
    where not is_deleted
    group by account_id
),

sales as (
    select
        account_id,
        count(*) as opportunities,
        count(*) filter (status = 'won') as won,
        count(*) filter (status = 'lost') as lost,
        count(*) filter (status = 'pipeline') as pipeline,
        {{ sum_of("corporate_amount", "amount", "status = 'won'") }} as won_amount,
        {{ sum_of("corporate_amount", "amount", "status = 'pipeline'") }} as pipeline_amount,
        max(close_date) filter (status = 'won') as last_won_date,
        min(close_date) filter (status = 'pipeline') as next_close_date
    from {{ ref("opportunity_enhanced") }}
    group by account_id
),

orders as (
    select
        account_id,
        count(*) as orders,
        {{ sum_of("corporate_amount", "total_amount") }} as order_amount
    from (
        select
            account_id,
            total_amount,
            {{ in_corporate_currency("total_amount", "currency_iso_code") }} as corporate_amount
        from {{ source("salesforce", "order") }}
        where not is_deleted
    )
    group by account_id
),

-- Orders of the ERP; a cancelled one is none.
erp_orders as (
    select
        account_id,
        count(*) as erp_orders,
        {{ sum_of("corporate_amount", "amount") }} as erp_order_amount,
        max(ordered_at) as last_erp_order_at
    from {{ ref("orders") }}
    where account_id is not null and status <> 'cancelled'
    group by account_id
),

users as (
    select
        account_id,
        count(*) as users,
        count(*) filter (matched_by = 'email') as users_by_email,
        count(*) filter (matched_by = 'domain') as users_by_domain,
        count(*) filter (matched_by = 'group') as users_by_group
    from matches
    where kind = 'product_user'
    group by account_id
),

persons as (
    select account_id, cast(subject_id as bigint) as person_id
    from matches
    where kind = 'product_user'
),

newest as (
    select max(event_date) as day from {{ ref("daily_performance") }}
),

-- Of 90 days of persons, step by step: events themselves are not read.
used_days as (
    select persons.account_id, day.person_id, day.event_date, day.events
    from {{ ref("user_days") }} as day
    inner join persons using (person_id)
    where day.event_date > (select day from newest) - 90
),

used_by_person as (
    select
        account_id,
        person_id,
        max(event_date) as last_date,
        {% for days in [7, 28, 90] -%}
        sum(case when event_date > (select day from newest) - {{ days }} then events end)
            as events_{{ days }}_days{{ "," if not loop.last }}
        {% endfor %}
    from used_days
    group by account_id, person_id
),

used_by_account as (
    select
        account_id,
        {% for days in [7, 28, 90] -%}
        cast(sum(events_{{ days }}_days) as bigint) as events_{{ days }}_days,
        count(case when last_date > (select day from newest) - {{ days }} then 1 end)
            as active_users_{{ days }}_days{{ "," if not loop.last }}
        {% endfor %}
    from used_by_person
    group by account_id
),

active_days as (
    select
        account_id,
        {% for days in [7, 28, 90] -%}
        count(case when event_date > (select day from newest) - {{ days }} then 1 end)
            as active_days_{{ days }}_days{{ "," if not loop.last }}
        {% endfor %}
    from (select distinct account_id, event_date from used_days) as days
    group by account_id
),

-- A session counts in the spans that its last event lies in.
used_sessions as (
    select
        persons.account_id,
        {% for days in [7, 28, 90] -%}
        count(case
            when {{ local_day("session.ended_at") }} > (select day from newest) - {{ days }} then 1
        end) as sessions_{{ days }}_days{{ "," if not loop.last }}
        {% endfor %}
    from {{ ref("sessions") }} as session
    inner join persons using (person_id)
    where session.ended_at > cast((select day from newest) - 91 as {{ timestamp_type() }})
    group by persons.account_id
),

chats as (
    select
        contact.account_id,
        count(*) as conversations,
        count(*) filter (conversation.status <> 'closed') as open_conversations,
        count(*) filter (conversation.is_answered) as answered_conversations,
        count(*) filter (contact.matched_by = 'email') as conversations_by_email,
        count(*) filter (contact.matched_by = 'domain') as conversations_by_domain,
        median(conversation.first_response_seconds) as median_first_response_seconds,
        max(coalesce(conversation.last_message_at, conversation.created_at))
            as last_conversation_at
    from {{ ref("conversation_enhanced") }} as conversation
    inner join matches as contact
        on contact.kind = 'chat_contact'
        and contact.subject_id = cast(conversation.contact_id as varchar)
    group by contact.account_id
),

-- A client is an account by its own id, that of a user, or an e-mail address.
ticket_clients as (
    select
        coalesce(account.id, known_user.account_id, matched.account_id) as account_id,
        client.tickets,
        client.open_tickets,
        client.last_requested_at
    from {{ ref("client_tickets") }} as client
    left join {{ source("salesforce", "account") }} as account
        on client.client_id = account.id and not account.is_deleted
    left join (
        select person.user_id, min(persons.account_id) as account_id
        from {{ ref("user_enhanced") }} as person
        inner join persons using (person_id)
        where person.user_id is not null
        group by person.user_id
        having count(distinct persons.account_id) = 1
    ) as known_user on client.client_id = known_user.user_id
    left join matches as matched
        on matched.kind = 'ticket_client' and client.client_id = matched.subject_id
),

client_tickets as (
    select
        account_id,
        cast(sum(tickets) as bigint) as tickets,
        cast(sum(open_tickets) as bigint) as open_tickets,
        max(last_requested_at) as last_ticket_at
    from ticket_clients
    where account_id is not null
    group by account_id
),

chat_accounts as (
    select account_id, count(*) as chat_accounts
    from matches
    where kind = 'chat_account'
    group by account_id
),

activities as (
    {{ done_activities() }}
),

-- A meeting with invitees is one for the account, however many of its owners' calendars have it.
meetings as (
    select account_id, count(*) as meetings
    from activities
    where kind = 'meeting' and not is_copy
    group by account_id
),

touches as (
    select account_id, if(kind = 'meeting', 'meeting', 'task') as kind, max(done_at) as touched_at
    from activities
    group by all
    union all
    select account_id, 'message', last_conversation_at from chats
    union all
    select account_id, 'ticket', last_ticket_at from client_tickets
    union all
    select persons.account_id, 'event', max(person.last_seen)
    from persons
    inner join {{ ref("user_enhanced") }} as person using (person_id)
    group by persons.account_id
),

last_touches as (
    select account_id, touched_at as last_touch_at, kind as last_touch_kind
    from (
        select
            *,
            row_number() over (partition by account_id order by touched_at desc, kind desc) as place
        from touches
        where touched_at is not null
    ) as placed
    where place = 1
)

select
    account.id as account_id,
    account.name,
    account.type,
    account.industry,
    account.number_of_employees,
    account.annual_revenue,
    account.currency_iso_code,
    {{ web_domain("account.website") }} as domain,
    account.billing_city as city,
    account.billing_country as country,
    account.parent_id,
    account.owner_id,
    owner.name as owner_name,
    account.created_date as created_at,
    coalesce(contacts.contacts, 0) as contacts,
    coalesce(sales.opportunities, 0) as opportunities,
    coalesce(sales.won, 0) as won,
    coalesce(sales.lost, 0) as lost,
    coalesce(sales.pipeline, 0) as pipeline,
    -- Null where there is an amount whose currency has no rate.
    if(sales.account_id is null, 0, sales.won_amount) as won_amount,
    if(sales.account_id is null, 0, sales.pipeline_amount) as pipeline_amount,
    {{ corporate_currency() }} as corporate_currency,
    sales.last_won_date,
    sales.next_close_date,
    coalesce(orders.orders, 0) as orders,
    if(orders.account_id is null, 0, orders.order_amount) as order_amount,
    coalesce(erp_orders.erp_orders, 0) as erp_orders,
    if(erp_orders.account_id is null, 0, erp_orders.erp_order_amount) as erp_order_amount,
    erp_orders.last_erp_order_at,
    coalesce(meetings.meetings, 0) as meetings,
    coalesce(users.users, 0) as users,
    coalesce(users.users_by_email, 0) as users_by_email,
    coalesce(users.users_by_domain, 0) as users_by_domain,
    coalesce(users.users_by_group, 0) as users_by_group,
    newest.day as usage_until,
    {% for days in [7, 28, 90] -%}
    coalesce(used_by_account.events_{{ days }}_days, 0) as events_{{ days }}_days,
    coalesce(used_by_account.active_users_{{ days }}_days, 0) as active_users_{{ days }}_days,
    coalesce(used_sessions.sessions_{{ days }}_days, 0) as sessions_{{ days }}_days,
    coalesce(active_days.active_days_{{ days }}_days, 0) as active_days_{{ days }}_days,
    {% endfor %}
    coalesce(chats.conversations, 0) as conversations,
    coalesce(chats.open_conversations, 0) as open_conversations,
    coalesce(chats.answered_conversations, 0) as answered_conversations,
    coalesce(chats.conversations_by_email, 0) as conversations_by_email,
    coalesce(chats.conversations_by_domain, 0) as conversations_by_domain,
    chats.median_first_response_seconds,
    coalesce(chat_accounts.chat_accounts, 0) as chat_accounts,
    coalesce(client_tickets.tickets, 0) as tickets,
    coalesce(client_tickets.open_tickets, 0) as open_tickets,
    client_tickets.last_ticket_at,
    last_touches.last_touch_at,
    last_touches.last_touch_kind
from {{ source("salesforce", "account") }} as account
cross join newest
left join {{ source("salesforce", "user") }} as owner on account.owner_id = owner.id
left join contacts on account.id = contacts.account_id
left join sales on account.id = sales.account_id
left join orders on account.id = orders.account_id
left join erp_orders on account.id = erp_orders.account_id
left join meetings on account.id = meetings.account_id
left join users on account.id = users.account_id
left join used_by_account on account.id = used_by_account.account_id
left join used_sessions on account.id = used_sessions.account_id
left join active_days on account.id = active_days.account_id
left join chats on account.id = chats.account_id
left join chat_accounts on account.id = chat_accounts.account_id
left join client_tickets on account.id = client_tickets.account_id
left join last_touches on account.id = last_touches.account_id
where not account.is_deleted
