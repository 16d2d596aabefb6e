{#
  The state of a model, in schema `novade`, written in the model's transaction: its generation, and
  the version of each source that it is built from. The tables are created by
  novade_pipeline/defs/marts/warehouse.py.
#}

{# The name of a model in the state: `event_enhanced`. #}
{% macro quoted_model() %}'{{ model.name }}'{% endmacro %}

{# The generation that is being built. #}
{% macro this_generation() %}
  (select generation from novade.model where model = {{ quoted_model() }})
{% endmacro %}

{# Rows of the log of an upstream model since the generation that this model is built from. #}
{% macro changes_of(upstream) %}
  (
    select * from novade.changes
    where model = '{{ upstream }}' and generation > (
      select version from novade.taken_in
      where model = {{ quoted_model() }} and source = 'marts.{{ upstream }}'
    )
  )
{% endmacro %}

{# For hooks: whether a source has another version than this model is built from. #}
{% macro source_has_changed(domain, table) %}
  {%- if not execute -%}{{ return(false) }}{%- endif -%}
  {{ return(run_query(
    "select not exists (from novade.taken_in as taken join novade.pinned as pinned using (source)"
    ~ "   where taken.model = '" ~ model.name ~ "' and source = '" ~ domain ~ "." ~ table ~ "'"
    ~ "   and taken.version = pinned.version"
    ~ "   and taken.table_id is not distinct from pinned.table_id)"
  ).rows[0][0]) }}
{% endmacro %}

{# Windows that an upstream model has touched since this model was built. #}
{% macro touched_by(upstream) %}
  (
    select window_start from novade.touched
    where model = '{{ upstream }}' and generation > (
      select version from novade.taken_in
      where model = {{ quoted_model() }} and source = 'marts.{{ upstream }}'
    )
  )
{% endmacro %}

{#
  Overrides dbt's macro, for the materialization `touched`: whether only touched rows are computed.
  Decided once, before the build: `begin_generation` records it, and hooks read it from the state.
#}
{% macro is_incremental() %}
  {%- if not execute or model.config.materialized != "touched" -%}{{ return(false) }}{%- endif -%}
  {%- set existing = load_relation(this) -%}
  {{ return(existing is not none and existing.is_view == is_view(this) and not should_full_refresh()) }}
{% endmacro %}

{#
  Overrides dbt's macro: besides --full-refresh, all rows are computed if the state says so, or if the
  log of an upstream model does not reach back to the generation that the model is built from.
#}
{% macro should_full_refresh() %}
  {%- if not execute -%}{{ return(false) }}{%- endif -%}
  {%- if flags.FULL_REFRESH -%}{{ return(true) }}{%- endif -%}
  {%- set upstream = model.refs | map(attribute="name") | list -%}
  {%- set found = run_query(
    "select exists (from novade.model where model = '" ~ model.name ~ "' and rebuild is not null)"
    ~ " or exists (from novade.model as upstream left join novade.taken_in as taken"
    ~ "   on taken.model = '" ~ model.name ~ "' and taken.source = 'marts.' || upstream.model"
    ~ "   where upstream.model in ('" ~ (upstream | join("', '")) ~ "')"
    ~ "   and coalesce(taken.version, -1) < upstream.since)"
  ) -%}
  {{ return(found.rows[0][0]) }}
{% endmacro %}

{# Opens the transaction. #}
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
  delete from novade.changes where model = {{ quoted_model() }};
  delete from novade.touched where model = {{ quoted_model() }};
  {% endif %}
  update novade.model set code = wanted_code, rebuild = null where model = {{ quoted_model() }};
  delete from novade.changed_windows where model = {{ quoted_model() }};
{% endmacro %}

{# In part: the windows that this generation touched, which are published and tested again. #}
{% macro log_touched(windows) %}
{% if is_in_part() %}
  insert into novade.touched
    select distinct {{ quoted_model() }}, {{ this_generation() }}, cast(window_start as timestamptz)
    from ({{ windows }}) as windows(window_start);
{% endif %}
{% endmacro %}

{# The windows of sources that changed since this model was built, from the state. #}
{% macro changed_windows() %}
  {%- if not execute -%}{{ return([]) }}{%- endif -%}
  {{ return(run_query(
    "select cast(window_start as varchar), cast(window_end as varchar),"
    ~ " cast(cast(window_start as date) as varchar),"
    ~ " cast(cast(window_end - interval 1 microsecond as date) as varchar)"
    ~ " from novade.changed_windows where model = '" ~ model.name ~ "' order by 1"
  ).rows) }}
{% endmacro %}

{#
  The rows of a relation in the changed windows, each read separately, so that only its files are
  opened.

  Args:
    day, hour: the relation's columns of a window's day and hour.
#}
{% macro in_changed_windows(relation, columns="*", day="upload_date", hour="upload_hour") %}
  {%- set windows = changed_windows() -%}
  {%- if windows | length > 32 %}
  select {{ columns }} from {{ relation }} as landed
  where {{ day }} between cast('{{ windows[0][2] }}' as date) and cast('{{ windows[-1][3] }}' as date)
    and exists (
      select 1 from novade.changed_windows as changed
      where changed.model = {{ quoted_model() }}
        and landed.{{ hour }} >= changed.window_start and landed.{{ hour }} < changed.window_end
    )
  {%- else %}
  {%- for start, end, first_day, last_day in windows %}
  select {{ columns }} from {{ relation }}
  where {{ day }} between cast('{{ first_day }}' as date) and cast('{{ last_day }}' as date)
    and {{ hour }} >= cast('{{ start }}' as timestamptz)
    and {{ hour }} < cast('{{ end }}' as timestamptz)
  {{ "union all" if not loop.last }}
  {%- else %}
  select {{ columns }} from {{ relation }} where false
  {%- endfor %}
  {%- endif %}
{% endmacro %}
