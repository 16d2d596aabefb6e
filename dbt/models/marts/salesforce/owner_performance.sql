{{ config(materialized="table") }}

with sold as (
    select
        owner_id,
        count(*) as opportunities,
        count(*) filter (status = 'won') as won,
        count(*) filter (status = 'lost') as lost,
        count(*) filter (status = 'pipeline') as pipeline,
        count(*) filter (status = 'other') as other,
        {{ sum_of("corporate_amount", "amount", "status = 'won'") }} as won_amount,
        {{ sum_of("corporate_amount", "amount", "status = 'lost'") }} as lost_amount,
        {{ sum_of("corporate_amount", "amount", "status = 'pipeline'") }} as pipeline_amount,
        avg(days_to_close) filter (status = 'won') as average_days_to_win,
        avg(days_to_close) filter (is_closed) as average_days_to_close
    from {{ ref("opportunity_enhanced") }}
    where owner_id is not null
    group by owner_id
),

done as (
    select
        owner_id,
        count(*) filter (kind = 'task') as tasks,
        count(*) filter (kind = 'call') as calls,
        count(*) filter (kind = 'email') as emails,
        count(*) filter (kind = 'meeting') as meetings,
        max(done_at) as last_activity_at
    from ({{ done_activities() }})
    where owner_id is not null
    group by owner_id
)

select
    owner_id,
    owner.name as owner_name,
    owner.is_active,
    role.name as role_name,
    coalesce(sold.opportunities, 0) as opportunities,
    coalesce(sold.won, 0) as won,
    coalesce(sold.lost, 0) as lost,
    coalesce(sold.pipeline, 0) as pipeline,
    coalesce(sold.other, 0) as other,
    -- Null where there is an amount whose currency has no rate.
    if(sold.owner_id is null, 0, sold.won_amount) as won_amount,
    if(sold.owner_id is null, 0, sold.lost_amount) as lost_amount,
    if(sold.owner_id is null, 0, sold.pipeline_amount) as pipeline_amount,
    {{ corporate_currency() }} as corporate_currency,
    -- Null where nothing is decided yet.
    sold.won / nullif(sold.won + sold.lost, 0) as win_rate,
    sold.average_days_to_win,
    sold.average_days_to_close,
    coalesce(done.tasks, 0) as tasks,
    coalesce(done.calls, 0) as calls,
    coalesce(done.emails, 0) as emails,
    coalesce(done.meetings, 0) as meetings,
    done.last_activity_at
from sold
full join done using (owner_id)
left join {{ source("salesforce", "user") }} as owner on owner_id = owner.id
left join {{ source("salesforce", "user_role") }} as role on owner.user_role_id = role.id
