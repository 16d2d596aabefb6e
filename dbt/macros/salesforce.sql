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
  Whether a task or event holds how a series recurs: the tasks and meetings of the series are records
  of their own, which name it.
#}
{% macro is_series() %}
  (is_recurrence and coalesce(recurrence_activity_id, id) = id)
{% endmacro %}

{#
  What was done: closed tasks, by kind, and meetings that have begun; each with its account, which
  is the task's own, or that of its contact or of what it is about. A meeting with invitees stands
  there once for each user who has it in the calendar, `is_copy` for all but its owner. Salesforce
  tells days of all-day events as midnight of UTC, whatever the zone.
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
        coalesce(completed_date_time, {{ organisation_midnight("activity_date") }}, created_date)
          as done_at,
        coalesce(call_duration_in_seconds, 0) as seconds,
        false as is_copy
      from {{ source("salesforce", "task") }}
      where not is_deleted and is_closed and not coalesce({{ is_series() }}, false)
      union all
      select
        id,
        'meeting',
        owner_id,
        account_id,
        who_id,
        what_id,
        case
          when is_all_day_event then {{ organisation_midnight(
            "coalesce(activity_date, cast(start_date_time at time zone 'UTC' as date))"
          ) }}
          else coalesce(start_date_time, {{ organisation_midnight("activity_date") }})
        end as done_at,
        case when is_all_day_event then 0 else coalesce(
          duration_in_minutes * 60, cast({{ seconds_between("start_date_time", "end_date_time") }} as bigint), 0
        ) end,
        coalesce(is_child, false)
      from {{ source("salesforce", "event") }}
      where not is_deleted and not coalesce({{ is_series() }}, false)
        -- Proposed and not agreed on; how a series of Lightning Experience recurs.
        and coalesce(group_event_type, '0') not in ('2', '3')
    )
    select
      records.id as activity_id,
      records.kind,
      records.owner_id,
      coalesce(records.account_id, contact.account_id, opportunity.account_id, account.id)
        as account_id,
      records.done_at,
      records.seconds,
      records.is_copy
    from records
    left join {{ source("salesforce", "contact") }} as contact on records.who_id = contact.id
    left join {{ source("salesforce", "opportunity") }} as opportunity
      on records.what_id = opportunity.id
    left join {{ source("salesforce", "account") }} as account on records.what_id = account.id
    where records.done_at <= {{ salesforce_now() }}
{% endmacro %}
