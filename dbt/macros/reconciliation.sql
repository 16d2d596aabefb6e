{# What Segment and Amplitude have of the same days, and where they differ. #}

{#
  Each property of some events, by a name and a value that both sides write alike. Segment's warehouse
  has a column for each property: `itemInSession` is `item_in_session`, `page.url` is `page_url`, and a
  column has one type. So names are compared by their letters and digits, numbers and times by what
  they mean, whether written as text or not. A null is no property; a list is compared as a whole.
  What Amplitude's SDK adds itself, `[Amplitude] …`, is left out.

  Args:
    rows: a relation with the columns `key` and `json`.
    side: a number that goes with each property.
#}
{% macro property_values(rows, key, json, side) %}
    select
      {{ key | join(", ") }},
      {{ letters_and_digits("path") }} as name,
      {{ compared_value("value") }} as value,
      {{ side }} as side
    from ({{ json_leaves(rows, key, json) }}) as leaves
    where path not like '[Amplitude]%'
{% endmacro %}

{# A value: numbers and times in one spelling each, all others as they are. #}
{% macro compared_value(value) %}
  coalesce(
    {{ number_in(value) }},
    case when {{ value }} like '____-__-__T%' then {{ moment_in(value) }} end,
    {{ value }}
  )
{% endmacro %}

{#
  The days that both recorded, `first_day` and `last_day`, in one row, or in none: those of the
  settings, or from the first to the last that both sides have. Late events move neither: the first
  day is one on which both received something, and on the last something happened.
#}
{% macro reconciled_days() %}
  (
  {%- if var("reconciled_days") -%}
    {%- set first, last = var("reconciled_days").split("..") %}
    select cast('{{ first }}' as date) as first_day, cast('{{ last }}' as date) as last_day
    where exists (select 1 from {{ ref("segment_events") }})
  {%- else %}
    select first_day, last_day
    from (
      select
        greatest(segment.first_day, amplitude.first_day) as first_day,
        least(segment.last_day, amplitude.last_day) as last_day
      from (
        select
          min(cast(received_hour as date)) as first_day,
          least(max(event_date), max(cast(received_hour as date))) as last_day
        from {{ ref("segment_events") }}
      ) as segment
      cross join (
        select min(upload_date) as first_day, max(upload_date) as last_day
        from {{ ref("event_enhanced") }}
      ) as amplitude
      where segment.first_day is not null and amplitude.first_day is not null
    ) as ends
    where first_day <= last_day
  {%- endif %}
  )
{% endmacro %}

{# Days of the window on which something has changed or that are new in it, and days that left it. #}
{% macro touch_reconciliation() %}
{% if is_in_part() %}
  create or replace temp table touched_reconciliation as
    select day.event_date
    from (
      select event_date from {{ changes_of("event_enhanced") }}
      union
      select event_date from {{ changes_of("matched_events") }}
      union
      select {{ each_day("first_day", "last_day") }} from {{ reconciled_days() }}
      where (select count(*) from novade.reconciled_days) = 0
      union
      select {{ each_day("window_days.first_day", "window_days.last_day") }}
      from {{ reconciled_days() }} as window_days
      inner join novade.reconciled_days as former
        on window_days.first_day <> former.first_day or window_days.last_day <> former.last_day
    ) as day
    inner join {{ reconciled_days() }} as window_days
      on day.event_date between window_days.first_day and window_days.last_day
    union
    select event_date from {{ this }} as present
    where not exists (
      select 1 from {{ reconciled_days() }} as window_days
      where present.event_date between window_days.first_day and window_days.last_day
    );
  {{ log_touched("select event_date from touched_reconciliation") }}
{% endif %}
  create or replace table novade.reconciled_days as select * from {{ reconciled_days() }} as days;
{% endmacro %}

{# At most ten examples of a kind of difference. #}
{% macro examples_of(kind) %}{{ texts_in_order("example", "place", "kind = '" ~ kind ~ "' and place <= 10") }}{% endmacro %}

{# What differs in a pair, by name; an empty text for nothing. #}
{% macro differences_of(pair) %}
  concat_ws(', ',
    case when {{ pair }}.segment_type <> {{ pair }}.event_type then 'event_type' end,
    nullif({{ joined_texts(pair ~ ".differing_properties") }}, '')
  )
{% endmacro %}
