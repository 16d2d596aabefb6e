{#
  The last known value of each column of a group: that of its row with the greatest position which
  has one. `max_by` would keep a state of every column for every group, in memory; here the position
  is found first, a number, and the columns are fetched by a join, nearly always from one row.

  Args:
    rows: a common table with the key's columns, the values and `position`, a number that no two rows
      of a group share.
    key: the columns of a group.
    values: the columns whose last known values are wanted.
    measures: more of each group, as SQL of a select list.
    at_first, at_last: columns of the first and of the last row, whether they have a value or not.

  The relation has the key, the measures, `first_<column>` and `last_<column>`, and the values.
#}
{% macro with_latest(rows, key, values, measures, at_first=[], at_last=[]) %}
    positions as {{ computed_once() }} (
        select
            {{ key | join(", ") }},
            {{ measures }},
            min(position) as first_position,
            max(position) as last_position,
            {% for name in values -%}
            max(case when {{ name }} is not null then position end) as {{ name }}_position
            {{- "," if not loop.last }}
            {% endfor %}
        from {{ rows }}
        group by {{ key | join(", ") }}
    ),

    -- Of values that the last row of a group does not have: which row has them, by the value's place.
    earlier_positions as {{ computed_once() }} (
        {% for name in values -%}
        select {{ key | join(", ") }}, {{ name }}_position as position, {{ loop.index }} as place
        from positions
        where {{ name }}_position < last_position
        {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    earlier as {{ computed_once() }} (
        select
            {% for name in key -%}
            known.{{ name }},
            {% endfor -%}
            earlier_positions.place,
            {% for name in values -%}
            case when earlier_positions.place = {{ loop.index }} then known.{{ name }} end as {{ name }}
            {{- "," if not loop.last }}
            {% endfor %}
        from {{ rows }} as known
        inner join earlier_positions using ({{ (key + ["position"]) | join(", ") }})
    ),

    latest as (
        select
            positions.*,
            {% for name in at_first -%}
            first_row.{{ name }} as first_{{ name }},
            {% endfor %}
            {% for name in at_last -%}
            last_row.{{ name }} as last_{{ name }},
            {% endfor %}
            {% for name in values -%}
            coalesce(last_row.{{ name }}, earlier_{{ name }}.{{ name }}) as {{ name }}
            {{- "," if not loop.last }}
            {% endfor %}
        from positions
        inner join {{ rows }} as last_row
            on {{ same_key(key, "positions", "last_row") }}
            and positions.last_position = last_row.position
        {% if at_first -%}
        inner join {{ rows }} as first_row
            on {{ same_key(key, "positions", "first_row") }}
            and positions.first_position = first_row.position
        {%- endif %}
        {% for name in values -%}
        left join (select * from earlier where place = {{ loop.index }}) as earlier_{{ name }}
            on {{ same_key(key, "positions", "earlier_" ~ name) }}
        {% endfor %}
    )
{% endmacro %}

{% macro same_key(key, left, right) -%}
  {% for name in key %}{{ left }}.{{ name }} = {{ right }}.{{ name }}{{ " and " if not loop.last }}{% endfor %}
{%- endmacro %}

{#
  Where an event is in the order of its session: by time and then as it landed. One number, so that
  it can be compared and joined by; `file_number` numbers the files of the rows at hand.
#}
{% macro event_position(time, file_number, line) %}
  {{ wide_microseconds(time) }} * 9223372036854775808 + {{ file_number }} * 4294967296 + {{ line }}
{% endmacro %}

{# The events of a relation with their `position`. #}
{% macro positioned(events, columns) %}
    select
        {% for name in columns -%}
        event.{{ name }},
        {% endfor %}
        {{ event_position("event.effective_time", "file.number", "event.line") }} as position
    from {{ events }} as event
    inner join (
        select upload_hour, file, row_number() over (order by upload_hour, file) as number
        from (select distinct upload_hour, file from {{ events }}) as files
    ) as file on event.upload_hour = file.upload_hour and event.file = file.file
{% endmacro %}
