{{ config(
    materialized="touched",
    unique_key=["kind", "subject_id"],
    pre_hook="{{ touch_customer_keys() }}",
    post_hook="{{ log_customer_keys() }}",
) }}

with users as (
    select person_id, user_id, user_properties, groups
    from {{ ref("user_enhanced") }}
    {% if is_incremental() -%}
    where cast(person_id as {{ text_type() }}) in (
        select subject_id from touched_customer_keys where kind = 'product_user'
    )
    {%- endif %}
),

user_texts as (
    select person_id, user_id as text from users
    union all
    select person_id, {{ each_item(texts_at("user_properties", ["email", "e-mail"])) }} from users
),

subject_addresses as (
    select
        'product_user' as kind,
        cast(person_id as {{ text_type() }}) as subject_id,
        {{ address("text") }} as address
    from user_texts
    union
    select 'chat_contact', cast(id as {{ text_type() }}), {{ address("email") }}
    from {{ source("drift", "contacts") }}
    where not is_deleted
    union
    select 'ticket_client', client_id, {{ address("client_id") }}
    from {{ ref("client_tickets") }}
    {% if is_incremental() -%}
    where client_id in (
        select subject_id from touched_customer_keys where kind = 'ticket_client'
    )
    {%- endif %}
),

companies as (
    select person_id, {{ each_item(texts_at("groups", ["company"], lists=true)) }} as name from users
),

subject_keys as (
    select kind, subject_id, 'email' as way, address as key from subject_addresses
    union
    select kind, subject_id, 'domain', {{ domain_of("address") }} from subject_addresses
    union
    select 'chat_account', account_id, 'domain', {{ web_domain("domain") }}
    from {{ source("drift", "accounts") }}
    where not is_deleted
    union
    select 'product_user', cast(person_id as {{ text_type() }}), 'group', {{ folded("name") }}
    from companies
)

select kind, subject_id, way, key
from subject_keys
where key is not null and not (way = 'domain' and {{ is_public_mailbox("key") }})
{% if is_incremental() %}
    -- Those of the chat are few, and are all looked at again where the chat has changed.
    and (
        kind in ('product_user', 'ticket_client')
        or kind in (select kind from touched_customer_keys)
    )
{% endif %}
