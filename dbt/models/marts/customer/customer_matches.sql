{{ config(
    materialized="touched",
    unique_key=["kind", "subject_id"],
    pre_hook="{{ touch_customer_matches() }}",
) }}

with subject_keys as (
    select * from {{ ref("customer_keys") }} as known
    {% if is_incremental() -%}
    where exists (
        select 1 from touched_customer_matches as touched
        where touched.kind = known.kind and touched.subject_id = known.subject_id
    )
    {%- endif %}
),

account_keys as (
    {{ account_keys() }}
),

-- Who has a key at all, and whether it says where the person works.
subjects as (
    select kind, subject_id, bool_or(way <> 'email') as is_at_company
    from subject_keys
    group by kind, subject_id
),

candidates as (
    select distinct
        subject_keys.kind,
        subject_keys.subject_id,
        account_keys.step,
        account_keys.way,
        account_keys.key_kind,
        account_keys.account_id
    from subject_keys
    inner join account_keys using (way, key)
),

steps as (
    select
        kind,
        subject_id,
        step,
        max(way) as way,
        min(key_kind) as key_kind,
        min(account_id) as account_id,
        count(distinct account_id) as accounts
    from candidates
    group by kind, subject_id, step
),

-- The first way that finds anything decides, were it only that it cannot tell which.
first_steps as (
    select kind, subject_id, min(step) as step from steps group by kind, subject_id
),

decided as (
    select steps.*
    from steps
    inner join first_steps using (kind, subject_id, step)
)

select
    subjects.kind,
    subjects.subject_id,
    case
        when decided.accounts = 1 then 'matched'
        when decided.accounts > 1 then 'ambiguous'
        else 'unmatched'
    end as outcome,
    case when decided.accounts = 1 then decided.account_id end as account_id,
    decided.way as matched_by,
    decided.key_kind,
    coalesce(decided.accounts, 0) as candidates,
    subjects.is_at_company
from subjects
left join decided using (kind, subject_id)
