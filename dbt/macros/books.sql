{#
  The books of a model, kept in schema `novade` and written in the model's own transaction:
  which generation of the model this is, and which version of each source it has taken in.
  The tables are made by novade_pipeline/defs/marts/warehouse.py.
#}

{# The name of a model in the books: `event_enhanced`. #}
{% macro quoted_model() %}'{{ model.name }}'{% endmacro %}

{# The generation that is being built. #}
{% macro this_generation() %}
  (select generation from novade.model where model = {{ quoted_model() }})
{% endmacro %}

{# Rows of a log of an upstream model that this model has not taken in yet. #}
{% macro is_new(upstream) %}
  generation > (
    select version from novade.taken_in
    where model = {{ quoted_model() }} and source = 'marts.{{ upstream }}'
  )
{% endmacro %}

{#
  Opens the transaction. Whether the model is built whole is decided once, here: later hooks see
  books and tables that this very build has changed.
#}
{% macro begin_generation() %}
  update novade.model
  set generation = generation + 1, whole = {{ not is_incremental() }}
  where model = {{ quoted_model() }};
{% endmacro %}

{# For hooks: only touched rows are computed in this generation. #}
{% macro is_in_part() %}
  {%- if not execute -%}{{ return(false) }}{%- endif -%}
  {%- set whole = run_query("select whole from novade.model where model = " ~ quoted_model()) -%}
  {{ return(not whole.rows[0][0]) }}
{% endmacro %}

{% macro take_in() %}
  delete from novade.taken_in where model = {{ quoted_model() }};
  {% for source in model.sources | map("join", ".") | unique %}
  insert into novade.taken_in
    select {{ quoted_model() }}, source, version, table_id from novade.pinned
    where source = '{{ source }}';
  {% endfor %}
  {% for upstream in model.refs | map(attribute="name") | unique %}
  insert into novade.taken_in
    select {{ quoted_model() }}, 'marts.' || model, generation, null from novade.model
    where model = '{{ upstream }}';
  {% endfor %}
  {% if not is_in_part() %}
  update novade.model set since = generation where model = {{ quoted_model() }};
  {% endif %}
  update novade.model set code = wanted_code, rebuild = null where model = {{ quoted_model() }};
  delete from novade.changed_days where model = {{ quoted_model() }};
{% endmacro %}

{# Days that this generation touched, before or after: what is published again. #}
{% macro log_days(days) %}
  {% if is_in_part() %}
  insert into novade.touched_days
    select {{ quoted_model() }}, {{ this_generation() }}, day from ({{ days }}) as days(day);
  {% else %}
  delete from novade.touched_days where model = {{ quoted_model() }};
  {% endif %}
{% endmacro %}

{#
  Rows of these days. DuckDB prunes a Delta table's files by a range, and not by a list: a range
  keeps the files of other days closed, as far as days that change lie together.
#}
{% macro is_changed_day(column, days) %}
  {%- if days -%}
  {{ column }} between date '{{ days | min }}' and date '{{ days | max }}'
  and {{ column }} in ({% for day in days %}date '{{ day }}'{{ ", " if not loop.last }}{% endfor %})
  {%- else -%}
  false
  {%- endif -%}
{% endmacro %}
