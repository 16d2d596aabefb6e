{{ config(meta={
    "dagster": {"ref": {"name": "fct_listens"}},
    "description": "As many listens as the histories have items: none is lost in a join.",
}) }}

select listened.items, counted.listens
from (
    select coalesce(sum({{ list_length("items") }}), 0) as items
    from {{ source("music", "listen_history") }}
    where not is_deleted
) as listened
cross join (select count(*) as listens from {{ ref("fct_listens") }}) as counted
where listened.items <> counted.listens
