{{ config(meta={
    "dagster": {"ref": {"name": "ticket_volume"}},
    "description": "The tickets of all days are all tickets.",
}) }}

select total.tickets, counted.tickets as counted
from (select count(*) as tickets from {{ source("tickets", "tickets") }}) as total
cross join (
    select coalesce(sum(tickets), 0) as tickets from {{ ref("ticket_volume") }}
) as counted
where total.tickets <> counted.tickets
