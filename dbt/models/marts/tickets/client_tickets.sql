{{ config(
    materialized="touched",
    unique_key="client_id",
    pre_hook="{{ touch_client_tickets() }}",
) }}

-- Follows {{ ref("ticket_volume") }}, which says what has changed.
with tickets as (
    {% if is_incremental() %}
    select * from novade.ticket
    where client_id in (select client_id from touched_client_tickets)
    {% else %}
    {{ counted_tickets() }}
    {% endif %}
)

select
    client_id,
    count(*) as tickets,
    count(*) filter (not is_deleted) as open_tickets,
    min(requested_at) as first_requested_at,
    max(requested_at) as last_requested_at
from tickets
where client_id is not null
group by client_id
