{#
  Tests that read only the windows touched since they passed: the rows of a mart outside of these are
  unchanged. `novade.check_scope` has the generation since when; once a night all rows are tested.
#}
{% macro to_check(relation) %}
  {{ return(scope_of_check(model.name, relation.identifier)) }}
{% endmacro %}

{# A condition for the rows that a test has to read. #}
{% macro scope_of_check(check, mart) %}
  {%- if not execute -%}{{ return("true") }}{%- endif -%}
  {%- set scope = run_query(
    "select window_column, window_type, scope.since from novade.check_scope as scope"
    ~ " join novade.model as model on scope.model = model.model and scope.since >= model.since"
    ~ " where check_name = '" ~ check ~ "' and scope.model = '" ~ mart ~ "'"
  ).rows -%}
  {%- if not scope -%}{{ return("true") }}{%- endif -%}
  {%- set column, type, since = scope[0] -%}
  {{ return(
    column ~ " in (select cast(window_start as " ~ type ~ ") from novade.touched"
    ~ " where model = '" ~ mart ~ "' and generation > " ~ since ~ ")"
  ) }}
{% endmacro %}

{# Overrides dbt's own: values are compared only where their hashes, which are narrow, are the same. #}
{% test unique(model, column_name) %}
{%- set rows = column_name ~ " is not null and " ~ to_check(model) -%}
select {{ column_name }}, count(*) as times
from {{ model }}
where {{ rows }} and {{ hash_of(column_name) }} in (
    select {{ hash_of(column_name) }} from {{ model }} where {{ rows }}
    group by 1 having count(*) > 1
)
group by {{ column_name }}
having count(*) > 1
{% endtest %}

{# Overrides dbt's own. #}
{% test not_null(model, column_name) %}
select {{ column_name }} from {{ model }} where {{ column_name }} is null and {{ to_check(model) }}
{% endtest %}
