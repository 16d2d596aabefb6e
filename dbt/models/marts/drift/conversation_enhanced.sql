{{ config(materialized="table") }}

with chats as (
    {{ chat_messages() }}
),

begun as (
    select conversation_id, min(created_at) as first_contact_message_at
    from chats
    where author = 'contact'
    group by conversation_id
),

-- Whoever of the workspace wrote first after the contact did; bots and private notes are no answer.
answers as (
    select
        conversation_id,
        created_at as first_response_at,
        author_id as first_responder_id
    from (
        select
            chats.*,
            row_number() over (
                partition by chats.conversation_id order by chats.created_at, chats.id
            ) as place
        from chats
        inner join begun using (conversation_id)
        where chats.author = 'human' and chats.created_at >= begun.first_contact_message_at
    ) as placed
    where place = 1
),

counted as (
    select
        conversation_id,
        min(created_at) as first_message_at,
        max(created_at) as last_message_at,
        count(*) as messages,
        count(*) filter (author = 'contact') as contact_messages,
        count(*) filter (author = 'human') as human_messages,
        count(*) filter (author = 'bot') as bot_messages
    from chats
    group by conversation_id
),

notes as (
    select conversation_id, count(*) as private_notes
    from {{ source("drift", "messages") }}
    where type = 'private_note'
    group by conversation_id
)

select
    conversation.id as conversation_id,
    conversation.status,
    conversation.contact_id,
    {{ address("contact.email") }} as contact_email,
    conversation.inbox_id,
    conversation.related_playbook_id,
    conversation.created_at,
    conversation.updated_at,
    {{ local_day("conversation.created_at") }} as conversation_date,
    begun.first_contact_message_at,
    answers.first_response_at,
    {{ seconds_between("begun.first_contact_message_at", "answers.first_response_at") }} as
        first_response_seconds,
    answers.first_responder_id,
    coalesce(responder.name, responder.alias) as first_responder_name,
    answers.first_response_at is not null as is_answered,
    {{ seconds_between("counted.first_message_at", "counted.last_message_at") }} as duration_seconds,
    counted.last_message_at,
    coalesce(counted.messages, 0) as messages,
    coalesce(counted.contact_messages, 0) as contact_messages,
    coalesce(counted.human_messages, 0) as human_messages,
    coalesce(counted.bot_messages, 0) as bot_messages,
    coalesce(notes.private_notes, 0) as private_notes
from {{ source("drift", "conversations") }} as conversation
left join {{ source("drift", "contacts") }} as contact
    on conversation.contact_id = contact.id and not contact.is_deleted
left join begun on conversation.id = begun.conversation_id
left join answers on conversation.id = answers.conversation_id
left join counted on conversation.id = counted.conversation_id
left join notes on conversation.id = notes.conversation_id
left join {{ source("drift", "users") }} as responder on answers.first_responder_id = responder.id
