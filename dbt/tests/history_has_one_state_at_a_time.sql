{{ config(meta={
    "dagster": {"ref": {"name": "opportunity_history"}},
    "description": "The states of an opportunity follow each other without overlap, the last one open or ended.",
}) }}

select opportunity_id, valid_from
from (
    select
        opportunity_id,
        valid_from,
        valid_to,
        lead(valid_from) over (
            partition by opportunity_id order by valid_from, valid_to nulls last
        ) as next_from
    from {{ ref("opportunity_history") }}
)
where valid_to < valid_from or (next_from is not null and (valid_to is null or valid_to > next_from))
