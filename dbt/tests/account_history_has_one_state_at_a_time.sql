{{ config(meta={
    "dagster": {"ref": {"name": "account_history"}},
    "description": "The states of an account follow each other without overlap, the last one open or ended.",
}) }}

select account_id, valid_from
from (
    select
        account_id,
        valid_from,
        valid_to,
        lead(valid_from) over (
            partition by account_id order by valid_from, valid_to nulls last
        ) as next_from
    from {{ ref("account_history") }}
)
where valid_to < valid_from or (next_from is not null and (valid_to is null or valid_to > next_from))
