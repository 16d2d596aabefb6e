{{ config(materialized="table") }}

with counted as (
    select
        'users_at_companies' as what,
        count(*) as total,
        count(*) filter (outcome = 'matched') as matched,
        count(*) filter (outcome = 'ambiguous') as ambiguous
    from {{ ref("customer_matches") }}
    where kind = 'product_user' and is_at_company
    union all
    select
        'conversations',
        count(*),
        count(*) filter (contact.outcome = 'matched'),
        count(*) filter (contact.outcome = 'ambiguous')
    from {{ ref("conversation_enhanced") }} as conversation
    inner join {{ ref("customer_matches") }} as contact
        on contact.kind = 'chat_contact'
        and contact.subject_id = cast(conversation.contact_id as varchar)
    union all
    select 'accounts_with_usage', count(*), count(*) filter (events_90_days > 0), 0
    from {{ ref("customer_360") }}
)

select
    what,
    total,
    matched,
    ambiguous,
    -- Where the CRM is not read there is nothing to match with, and nothing to warn of.
    case when exists (select 1 from {{ ref("customer_360") }}) then matched / nullif(total, 0) end as share
from counted
