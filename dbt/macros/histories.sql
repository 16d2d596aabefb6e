{#
  Ends the validity of records that were deleted, at the moment of the deletion. dbt's own
  `hard_deletes` ends it at the moment of the snapshot, and would end all records where a source is
  not there for a while; what is deleted stays in our tables and says so.
#}
{% macro end_deleted(domain, table, key) %}
  update {{ this }} as history
  set valid_to = greatest(history.valid_from, deleted.deleted_at)
  from (
    select id, coalesce(vanished_at, system_modstamp) as deleted_at
    from {{ source(domain, table) }}
    where is_deleted
  ) as deleted
  where history.{{ key }} = deleted.id and history.valid_to is null;
{% endmacro %}
