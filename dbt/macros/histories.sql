{#
  Ends the validity of records that were deleted, at the moment of the deletion. dbt's own
  `hard_deletes` ends it at the moment of the snapshot, and would end all records of a source
  that is missing for a while; deleted records stay in the tables of the lake, marked.
#}
{% macro end_deleted(domain, table, key) %}{{ adapter.dispatch("end_deleted")(domain, table, key) }}{% endmacro %}
{% macro duckdb__end_deleted(domain, table, key) %}
  update {{ this }} as history
  set valid_to = greatest(history.valid_from, deleted.deleted_at)
  from (
    select id, coalesce(vanished_at, system_modstamp) as deleted_at
    from {{ source(domain, table) }}
    where is_deleted
  ) as deleted
  where history.{{ key }} = deleted.id and history.valid_to is null;
{% endmacro %}

{#
  Separates the states of a record. A record that vanished and is back unchanged has a second state of
  the same version, which dbt begins with the first and gives the same id: it begins when a sweep
  detected the record, or if that is unknown, when the first state ended. Of states of different
  versions, which two warehouses may have recorded, each ends where the next begins. Idempotent.
#}
{% macro set_apart(domain, table, key) %}{{ adapter.dispatch("set_apart")(domain, table, key) }}{% endmacro %}
{% macro duckdb__set_apart(domain, table, key) %}
  update {{ this }} as history
  set valid_from = back.returned_at
  from (
    select id, system_modstamp, returned_at from {{ source(domain, table) }}
    where not is_deleted and returned_at is not null
  ) as back
  where history.{{ key }} = back.id
    and history.changed_at = back.system_modstamp
    and history.valid_to is null
    and history.valid_from < back.returned_at
    and history.{{ key }} in (
      select ended.{{ key }} from {{ this }} as ended
      where ended.valid_to > history.valid_from and ended.valid_to <= back.returned_at
    );

  create or replace temp table apart_{{ model.name }} as
    with states as (
      select
        rowid as place,
        {{ key }} as record,
        version_id,
        changed_at,
        valid_to,
        greatest(valid_from, max(valid_to) over (
          partition by {{ key }}, changed_at order by valid_to nulls last, valid_from
          rows between unbounded preceding and 1 preceding
        )) as starts,
        row_number() over (
          partition by version_id order by valid_to nulls last, valid_from
        ) > 1 as is_copy
      from {{ this }}
    ),
    cut as (
      select
        *,
        least(valid_to, min(starts) over (
          partition by record order by changed_at
          groups between 1 following and unbounded following
        )) as until_next
      from states
    )
    select
      place,
      starts,
      case when until_next is not null then greatest(starts, until_next) end as ends,
      if(is_copy, md5(version_id || epoch_us(starts)), version_id) as version_id,
      is_copy
    from cut;

  delete from {{ this }}
  where rowid in (select place from apart_{{ model.name }} where is_copy and ends <= starts);

  update {{ this }} as history
  set valid_from = apart.starts, valid_to = apart.ends, version_id = apart.version_id
  from apart_{{ model.name }} as apart
  where history.rowid = apart.place
    and (
      history.valid_from <> apart.starts
      or history.valid_to is distinct from apart.ends
      or history.version_id <> apart.version_id
    );
{% endmacro %}

{# The states that end before they begin, or after the next state of the same record has begun. #}
{% macro overlapping_states(history, key) %}
select {{ key }}, valid_from
from (
    select
        {{ key }},
        valid_from,
        valid_to,
        lead(valid_from) over (
            partition by {{ key }} order by valid_from, valid_to nulls last
        ) as next_from
    from {{ history }}
)
where valid_to < valid_from or (next_from is not null and (valid_to is null or valid_to > next_from))
{% endmacro %}
