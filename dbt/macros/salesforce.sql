{#
  Won; lost: closed and not won; pipeline: open, with a forecast category of pipeline, forecast or
  best case, however it is written; else other.
#}
{% macro opportunity_status() %}
  case
    when is_won then 'won'
    when is_closed then 'lost'
    when regexp_replace(lower(coalesce(forecast_category, forecast_category_name)), '\s', '', 'g')
      in ('pipeline', 'forecast', 'bestcase') then 'pipeline'
    else 'other'
  end
{% endmacro %}

{# The newest moment that the organisation's records know of: what is later is only planned. #}
{% macro salesforce_now() %}
  (
    select max(system_modstamp) from (
      select max(system_modstamp) as system_modstamp from {{ source("salesforce", "opportunity") }}
      union all
      select max(system_modstamp) from {{ source("salesforce", "task") }}
      union all
      select max(system_modstamp) from {{ source("salesforce", "event") }}
    )
  )
{% endmacro %}

{#
  What was done: closed tasks, by kind, and meetings that have begun; each with its account, which
  is the task's own, or that of its contact or of what it is about.
#}
{% macro done_activities() %}
    with records as (
      select
        id,
        case
          when lower(coalesce(task_subtype, '')) = 'call' or (
            lower(coalesce(task_subtype, 'task')) = 'task' and lower(type) = 'call'
          ) then 'call'
          when lower(coalesce(task_subtype, '')) in ('email', 'listemail') or (
            lower(coalesce(task_subtype, 'task')) = 'task' and lower(type) in ('email', 'e-mail')
          ) then 'email'
          else 'task'
        end as kind,
        owner_id,
        account_id,
        who_id,
        what_id,
        coalesce(completed_date_time, activity_date::timestamptz, created_date) as done_at,
        coalesce(call_duration_in_seconds, 0) as seconds
      from {{ source("salesforce", "task") }}
      where not is_deleted and is_closed
      union all
      select
        id,
        'meeting',
        owner_id,
        account_id,
        who_id,
        what_id,
        coalesce(start_date_time, activity_date::timestamptz) as done_at,
        coalesce(duration_in_minutes * 60, epoch(end_date_time - start_date_time)::bigint, 0)
      from {{ source("salesforce", "event") }}
      where not is_deleted
    )
    select
      records.id as activity_id,
      records.kind,
      records.owner_id,
      coalesce(records.account_id, contact.account_id, opportunity.account_id, account.id)
        as account_id,
      records.done_at,
      records.seconds
    from records
    left join {{ source("salesforce", "contact") }} as contact on records.who_id = contact.id
    left join {{ source("salesforce", "opportunity") }} as opportunity
      on records.what_id = opportunity.id
    left join {{ source("salesforce", "account") }} as account on records.what_id = account.id
    where records.done_at <= {{ salesforce_now() }}
{% endmacro %}
