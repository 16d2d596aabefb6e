{# Chat messages, and who wrote each: `contact`, `human` (of the workspace) or `bot`. #}
{% macro chat_messages() %}
    select
      message.id,
      message.conversation_id,
      message.author_id,
      message.created_at,
      case
        when message.author_type = 'contact' then 'contact'
        when coalesce(message.author_is_bot, false) or coalesce(author.bot, false) then 'bot'
        when message.author_type = 'user' then 'human'
      end as author
    from {{ source("drift", "messages") }} as message
    left join {{ source("drift", "users") }} as author
      on message.author_type = 'user' and message.author_id = author.id
    where message.type = 'chat'
{% endmacro %}
