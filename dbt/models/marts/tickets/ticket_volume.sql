{{ config(
    materialized="touched",
    unique_key="request_date",
    pre_hook="{{ touch_ticket_volume() }}",
) }}

with tickets as (
    {% if is_incremental() %}
    select * from novade.ticket
    where request_date in (select request_date from touched_ticket_volume)
    {% else %}
    {{ counted_tickets() }}
    {% endif %}
)

select
    request_date,
    team,
    priority,
    count(*) as tickets,
    count(*) filter (not is_deleted) as open_tickets
from tickets
group by request_date, team, priority
