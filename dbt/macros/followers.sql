{# What the models that follow event_enhanced compute again; each fills `touched_<model>`. #}

{% macro touch_sessions() %}
{% if is_in_part() %}
  create or replace temp table touched_sessions as
    select distinct person_id, session_id from {{ changes_of("event_enhanced") }}
    where session_id is not null;
  insert into novade.changes (model, generation, event_date, person_id)
    select distinct {{ quoted_model() }}, {{ this_generation() }}, cast(null as date), person_id
    from touched_sessions;
  {{ log_sessions() }}
{% endif %}
{% endmacro %}

{# The days of touched sessions: called before they are computed again, and after. #}
{% macro log_sessions() %}
  {{ log_touched(
    "select session_date from " ~ this ~ " as session inner join touched_sessions as touched"
    ~ " on session.person_id = touched.person_id and session.session_id = touched.session_id"
  ) }}
{% endmacro %}

{% macro touch_user_days() %}
{% if is_in_part() %}
  create or replace temp table touched_user_days as
    select distinct event_date, person_id from {{ changes_of("event_enhanced") }};
{% endif %}
{% endmacro %}

{% macro log_user_days() %}
{% if is_in_part() %}
  insert into novade.changes (model, generation, event_date, person_id)
    select {{ quoted_model() }}, {{ this_generation() }}, event_date, person_id
    from touched_user_days;
  {{ log_touched("select event_date from touched_user_days") }}
{% endif %}
{% endmacro %}

{% macro touch_user_enhanced() %}
{% if is_in_part() %}
  create or replace temp table touched_user_enhanced as
    select person_id from {{ changes_of("user_days") }}
    union
    -- They may have followed event_enhanced later than this model.
    select person_id from {{ changes_of("sessions") }};
  create or replace temp table former_user_enhanced as
    select person_id, first_date from {{ this }}
    where person_id in (select person_id from touched_user_enhanced);
{% endif %}
{% endmacro %}

{# Writes down who has changed, and first days that moved: new users count on their first day. #}
{% macro log_user_enhanced() %}
{% if is_in_part() %}
  create or replace temp table moved_user_enhanced as
    select person_id, former.first_date as former_date, present.first_date as present_date
    from former_user_enhanced as former
    full join (
      select person_id, first_date from {{ this }}
      where person_id in (select person_id from touched_user_enhanced)
    ) as present using (person_id)
    where former.first_date is distinct from present.first_date;
  insert into novade.changes (model, generation, event_date, person_id)
    select {{ quoted_model() }}, {{ this_generation() }}, former_date, person_id
    from moved_user_enhanced where former_date is not null
    union all
    select {{ quoted_model() }}, {{ this_generation() }}, present_date, person_id
    from moved_user_enhanced where present_date is not null
    union all
    select {{ quoted_model() }}, {{ this_generation() }}, null, person_id
    from touched_user_enhanced;
{% endif %}
{% endmacro %}

{# What happened on each of some days, by event type; counted step by step, which can be spilled. #}
{% macro measured_days(condition) %}
    select
        by_person.event_date,
        by_person.event_type,
        cast(sum(by_person.events) as bigint) as events,
        cast(sum(by_person.sessions) as bigint) as sessions,
        count(*) as users,
        count(case when person.first_date = by_person.event_date then 1 end) as new_users
    from (
        select
            event_date,
            event_type,
            person_id,
            sum(events) as events,
            count(session_id) as sessions
        from (
            select event_date, event_type, person_id, session_id, count(*) as events
            from {{ ref("event_enhanced") }}
            where {{ condition }}
            group by event_date, event_type, person_id, session_id
        ) as by_session
        group by event_date, event_type, person_id
    ) as by_person
    inner join {{ ref("user_enhanced") }} as person on by_person.person_id = person.person_id
    group by by_person.event_date, by_person.event_type
{% endmacro %}

{# Every day from the first to the last of some rows, with every event type of theirs. #}
{% macro days_by_event_type(rows) %}
    select days.event_date, types.event_type
    from (
        select {{ each_day("first_date", "last_date") }} as event_date
        from (
            select min(event_date) as first_date, max(event_date) as last_date from {{ rows }}
        ) as ends
    ) as days
    cross join (select distinct event_type from {{ rows }}) as types
{% endmacro %}

{#
  Days with touched events, and pairs that the grid of days and event types has gained or lost. What
  happened on other days is what it was, so that no other day's events are read.
#}
{% macro touch_daily_performance() %}
{% if is_in_part() %}
  create or replace temp table touched_days as
    select event_date from {{ changes_of("event_enhanced") }}
    union
    select event_date from {{ changes_of("user_enhanced") }} where event_date is not null;
  create or replace temp table measured_daily_performance as
    {{ measured_days("event_date in (select event_date from touched_days)") }};
  create or replace temp table present_daily_performance as
    select event_date, event_type from measured_daily_performance
    union all
    select event_date, event_type from {{ this }}
    where events > 0 and event_date not in (select event_date from touched_days);
  create or replace temp table grid_daily_performance as
    {{ days_by_event_type("present_daily_performance") }};
  create or replace temp table touched_daily_performance as
    select event_date, event_type
    from (
      select event_date, event_type, true as is_wanted, false as is_present
      from grid_daily_performance
      union all
      select event_date, event_type, false, true from {{ this }}
    ) as pairs
    group by event_date, event_type
    having bool_or(is_wanted) <> bool_or(is_present)
      or event_date in (select event_date from touched_days);
{% endif %}
{% endmacro %}

{#
  Weeks with touched events, and all weeks of persons who belong to another cohort now; the counts of
  other weeks are kept.
#}
{% macro touch_weekly_retention() %}
{% if is_in_part() %}
  create or replace temp table touched_weeks as
    select {{ week_of("event_date") }} as week from {{ changes_of("user_days") }}
    union
    select {{ week_of("event_date") }} from {{ ref("user_days") }}
    where person_id in (
      select person_id from {{ changes_of("user_enhanced") }} where event_date is not null
    );
  create or replace temp table kept_weekly_retention as
    select cohort_week, week, users from {{ this }}
    where users > 0 and week not in (select week from touched_weeks);
  create or replace temp table touched_weekly_retention as
    select distinct week from {{ this }};
{% endif %}
{% endmacro %}

{# The Monday of a day's week. #}
{% macro week_of(day) %}cast(date_trunc('week', {{ day }}) as date){% endmacro %}

{# Upload days of events that event_enhanced has touched, and of verdicts that changed. #}
{% macro touch_coverage_by_day() %}
{% if is_in_part() %}
  create or replace temp table touched_coverage_by_day as
    select distinct cast(window_start as date) as upload_date from {{ touched_by("event_enhanced") }}
    {% for start, end, first_day, last_day in changed_windows() %}
    union
    select {{ each_day("cast('" ~ first_day ~ "' as date)", "cast('" ~ last_day ~ "' as date)") }}
    {% endfor %};
{% endif %}
{% endmacro %}

{% macro log_coverage_by_day() %}
{% if is_in_part() %}
  {{ log_touched("select upload_date from touched_coverage_by_day") }}
{% endif %}
{% endmacro %}
