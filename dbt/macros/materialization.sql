{#
  A mart that is computed again where its sources changed; all rows if that is unknown.

  In part, the rows with the keys of `touched_<model>`, which a pre-hook makes, are deleted and
  computed again. New rows are inserted slice by slice, so that memory does not grow with them.

  config:
    unique_key: the columns of `touched_<model>`.
    slices: {of: a mart, by: a column of it, bucket: an expression whose values are never cut}; the
      model's SQL asks for its part with `in_slice`. Without it all is inserted at once.
    view_while_empty: a mart whose rows this one adds to those of another. As long as it has none,
      this one is a view, which costs no copy of the other.
#}
{% materialization touched, adapter="duckdb" %}
  {%- set as_view = is_view(this) -%}
  {%- set target = this.incorporate(type="view" if as_view else "table") -%}
  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}
  {%- set in_part = is_in_part() -%}
  {{ get_assert_columns_equivalent(compiled_code) }}
  {%- set existing = load_relation(this) -%}
  {% if existing is not none and existing.type != target.type %}
    {% do adapter.drop_relation(existing) %}
  {% endif %}
  {% call statement("main") %}
    {% if as_view %}
      {{ "select 1" if in_part else "create or replace view " ~ target ~ " as " ~ compiled_code }}
    {% elif in_part %}
      {{ delete_touched(target) }}
    {% else %}
      create or replace table {{ target }} {{ get_table_columns_and_constraints() }};
    {% endif %}
  {% endcall %}
  {% for slice in ([] if as_view else slices(in_part)) %}
    {% do run_query(begin_slice(*slice)) %}
    {% do run_query("insert into " ~ target ~ get_column_names() ~ compiled_code) %}
  {% endfor %}
  {% do run_query(begin_slice("null", "null")) %}
  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {% do adapter.commit() %}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({"relations": [target]}) }}
{% endmaterialization %}

{# Whether a model is a view for now: see `view_while_empty`. #}
{% macro is_view(relation) %}
  {%- set mart = model.config.get("view_while_empty") if execute -%}
  {%- if not mart -%}{{ return(false) }}{%- endif -%}
  {%- set added = load_relation(relation.incorporate(path={"identifier": mart})) -%}
  {{ return(added is not none and not run_query("select 1 from " ~ added ~ " limit 1").rows) }}
{% endmacro %}

{% macro delete_touched(target) %}
  {%- set key = config.require("unique_key") -%}
  {%- set key = [key] if key is string else key -%}
  delete from {{ target }} as present where exists (
    select 1 from touched_{{ model.name }} as touched
    where {% for name in key -%}
      touched.{{ name }} = present.{{ name }}{{ " and " if not loop.last }}
    {%- endfor %}
  );
{% endmacro %}

{#
  (first, last) of each slice, as SQL: buckets are joined up to `slice_rows` rows. In part they are
  those of the touched keys, of which each stands for several rows.
#}
{% macro slices(in_part) %}
  {%- set cut = config.get("slices") -%}
  {%- if not cut -%}{{ return([("null", "null")]) }}{%- endif -%}
  {%- set rows = "touched_" ~ model.name if in_part else this.incorporate(path={"identifier": cut.of}) -%}
  {%- set most = var("slice_rows") // (16 if in_part else 1) -%}
  {%- set buckets = run_query(
    "select cast(min(" ~ cut.by ~ ") as varchar), cast(max(" ~ cut.by ~ ") as varchar), count(*)"
    ~ " from " ~ rows ~ " where " ~ cut.by ~ " is not null group by " ~ cut.bucket
    ~ " order by min(" ~ cut.by ~ ")"
  ) -%}
  {%- set found = [] -%}
  {%- for first, last, count in buckets.rows -%}
    {%- if found and found[-1].count + count <= most -%}
      {%- do found[-1].update(last=last, count=found[-1].count + count) -%}
    {%- else -%}
      {%- do found.append({"first": first, "last": last, "count": count}) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- set ends = [] -%}
  {%- for slice in found -%}
    {%- do ends.append(("'" ~ slice.first ~ "'", "'" ~ slice.last ~ "'")) -%}
  {%- endfor -%}
  {{ return(ends) }}
{% endmacro %}

{# Rows of the current slice; all rows without one. #}
{% macro in_slice(column, type) %}
  ({{ slice_end("slice_first", type) }} is null or {{ column }} between
    {{ slice_end("slice_first", type) }} and {{ slice_end("slice_last", type) }})
{% endmacro %}

{# Schema names without the target's schema as prefix. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ custom_schema_name if custom_schema_name is not none else target.schema }}
{%- endmacro %}
