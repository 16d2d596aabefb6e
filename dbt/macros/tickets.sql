{# Each ticket, and what the marts count it by. #}
{% macro counted_tickets() %}
    select
      ticket_id,
      {{ local_day("requested_at") }} as request_date,
      team,
      coalesce(priority, 'none') as priority,
      is_deleted,
      client_id,
      requested_at,
      changed_in
    from {{ source("tickets", "tickets") }}
{% endmacro %}

{# The number after which tickets are new to the marts; -1 where the table was made again. #}
{% macro known_ticket_change() %}
  {%- if not execute -%}{{ return(-1) }}{%- endif -%}
  {{ return(run_query(
    "select case when exists ("
    ~ "  from novade.taken_in as taken join novade.pinned as pinned using (source)"
    ~ "  where taken.model = '" ~ model.name ~ "' and source = 'tickets.tickets'"
    ~ "  and taken.table_id is not distinct from pinned.table_id)"
    ~ " then coalesce((select max(changed_in) from novade.ticket), -1) else -1 end"
  ).rows[0][0]) }}
{% endmacro %}

{#
  Brings `novade.ticket` up to the tickets that changed, which are read alone, and writes down their
  days and clients, those of before as well. Tickets that are gone belong to erased persons.
#}
{% macro touch_ticket_volume() %}
{% if not is_in_part() %}
  create or replace table novade.ticket as {{ counted_tickets() }};
{% else %}
  {%- set known = known_ticket_change() %}
  create or replace temp table changed_ticket as
    select * from ({{ counted_tickets() }}) as ticket
    {%- if source_has_changed("tickets", "tickets") %}
    where changed_in > {{ known }};
    {%- else %}
    where false;
    {%- endif %}
  create or replace temp table former_ticket as
    select * from novade.ticket where ticket_id in (select ticket_id from changed_ticket);
  delete from novade.ticket where ticket_id in (select ticket_id from former_ticket);
  insert into novade.ticket select * from changed_ticket;
  {% if source_has_changed("tickets", "tickets") %}
  create or replace temp table gone_ticket as
    select * from novade.ticket
    where ({{ known }} = -1 or (select count(*) from novade.ticket)
        <> (select count(*) from {{ source("tickets", "tickets") }}))
      and ticket_id not in (select ticket_id from {{ source("tickets", "tickets") }});
  delete from novade.ticket where ticket_id in (select ticket_id from gone_ticket);
  insert into former_ticket select * from gone_ticket;
  {% endif %}
  create or replace temp table touched_ticket_volume as
    select request_date from former_ticket union select request_date from changed_ticket;
  insert into novade.changes (model, generation, kind, subject_id)
    select {{ quoted_model() }}, {{ this_generation() }}, 'ticket_client', client_id
    from (
      select client_id from former_ticket union select client_id from changed_ticket
    ) as clients
    where client_id is not null;
  {{ log_touched("select request_date from touched_ticket_volume") }}
{% endif %}
{% endmacro %}

{# Clients of whom a ticket has changed. #}
{% macro touch_client_tickets() %}
{% if is_in_part() %}
  create or replace temp table touched_client_tickets as
    select distinct subject_id as client_id from {{ changes_of("ticket_volume") }};
  insert into novade.changes (model, generation, kind, subject_id)
    select {{ quoted_model() }}, {{ this_generation() }}, 'ticket_client', client_id
    from touched_client_tickets;
{% endif %}
{% endmacro %}
