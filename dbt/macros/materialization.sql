{#
  Delete by touched keys, then insert. dbt-duckdb's `delete+insert` deletes only the keys of the
  new rows, so that rows whose events are all gone would stay.
#}
{% macro get_incremental_touched_sql(arg_dict) %}
  {%- set key = arg_dict["unique_key"] -%}
  {%- set key = [key] if key is string else key -%}
  {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
  delete from {{ arg_dict["target_relation"] }}
  where ({{ key | join(", ") }}) in (select ({{ key | join(", ") }}) from touched_{{ model.name }});
  insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }};
{% endmacro %}

{#
  Overrides dbt's own: beside --full-refresh, a model is built whole when the books say so, or when
  the log of a model that it follows no longer reaches back to what it has taken in.
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

{# Schemas as they are named, without the target's own in front. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ custom_schema_name if custom_schema_name is not none else target.schema }}
{%- endmacro %}
