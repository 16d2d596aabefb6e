{{ config(materialized="table") }}

with newest as (
    select max(request_date) as day from {{ ref("ticket_volume") }}
)

select
    volume.team,
    volume.priority,
    newest.day as as_of,
    cast(sum(volume.open_tickets) as bigint) as open_tickets,
    {% for days in [1, 7, 28] -%}
    cast(sum(case when volume.request_date <= newest.day - {{ days }} then volume.open_tickets else 0 end)
        as bigint) as open_for_{{ days }}_days,
    {% endfor -%}
    min(volume.request_date) as oldest_date
from {{ ref("ticket_volume") }} as volume
cross join newest
where volume.open_tickets > 0
group by volume.team, volume.priority, newest.day
