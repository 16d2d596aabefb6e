{{ config(materialized="table") }}

-- By what an account is known: each key with the step at which it is looked at. Deleted records
-- are known by nothing.
with accounts as (
    select
        id as account_id,
        {{ folded("name") }} as name,
        {{ web_domain("website") }} as domain
    from {{ source("salesforce", "account") }}
    where not is_deleted
),

addresses as (
    select 'contact_email' as key_kind, {{ address("contact.email") }} as address, account_id
    from {{ source("salesforce", "contact") }} as contact
    inner join accounts using (account_id)
    where not contact.is_deleted
    union all
    select 'lead_email', {{ address("lead.email") }}, accounts.account_id
    from {{ source("salesforce", "lead") }} as lead
    inner join accounts on lead.converted_account_id = accounts.account_id
    where not lead.is_deleted and lead.is_converted
),

account_keys as (
    select 1 as step, 'email' as way, key_kind, address as key, account_id from addresses
    union all
    select 2, 'domain', 'account_website', domain, account_id from accounts
    union all
    select 3, 'domain', 'contact_domain', {{ domain_of("address") }}, account_id
    from addresses
    where key_kind = 'contact_email'
    union all
    select 4, 'group', 'account_name', name, account_id from accounts
),

-- By what each of the others is known.
users as (
    select
        person_id,
        list_filter(
            list_distinct(list_transform(
                list_prepend(
                    user_id, {{ texts_at("user_properties", ["email", "e-mail"]) }}
                ),
                lambda text: {{ address("text") }}
            )),
            lambda address: address is not null
        ) as addresses,
        list_filter(
            list_distinct(list_transform(
                {{ texts_at("groups", ["company"], lists=true) }}, lambda name: {{ folded("name") }}
            )),
            lambda name: name is not null
        ) as companies
    from {{ ref("user_enhanced") }}
),

subjects as (
    select 'product_user' as kind, cast(person_id as varchar) as subject_id, addresses, companies,
        [] as domains
    from users
    union all
    select 'chat_contact', cast(id as varchar), [{{ address("email") }}], [], []
    from {{ source("drift", "contacts") }}
    where not is_deleted
    union all
    select 'chat_account', account_id, [], [], [{{ web_domain("domain") }}]
    from {{ source("drift", "accounts") }}
    where not is_deleted
),

subject_keys as (
    select kind, subject_id, 'email' as way, unnest(addresses) as key from subjects
    union
    select kind, subject_id, 'domain', {{ domain_of("address") }}
    from (select kind, subject_id, unnest(addresses) as address from subjects)
    union
    select kind, subject_id, 'domain', unnest(domains) from subjects
    union
    select kind, subject_id, 'group', unnest(companies) from subjects
),

telling as (
    select * from subject_keys
    where key is not null and not (way = 'domain' and {{ is_public_mailbox("key") }})
),

-- Who has a key at all, and whether it says where the person works.
told as (
    select kind, subject_id, bool_or(way <> 'email') as is_at_company
    from telling
    group by kind, subject_id
),

found as (
    select
        telling.kind,
        telling.subject_id,
        account_keys.step,
        any_value(account_keys.way) as way,
        min(account_keys.key_kind) as key_kind,
        min(account_keys.account_id) as account_id,
        count(distinct account_keys.account_id) as accounts
    from telling
    inner join account_keys using (way, key)
    group by telling.kind, telling.subject_id, account_keys.step
),

-- The first way that finds anything decides, were it only that it cannot tell which.
decided as (
    select * from found
    qualify row_number() over (partition by kind, subject_id order by step) = 1
)

select
    told.kind,
    told.subject_id,
    case
        when decided.accounts = 1 then 'matched'
        when decided.accounts > 1 then 'ambiguous'
        else 'unmatched'
    end as outcome,
    case when decided.accounts = 1 then decided.account_id end as account_id,
    decided.way as matched_by,
    decided.key_kind,
    coalesce(decided.accounts, 0) as candidates,
    told.is_at_company
from told
left join decided using (kind, subject_id)
