{% snapshot opportunity_history %}
{{ config(unique_key="opportunity_id", post_hook=[
    "{{ end_deleted('salesforce', 'opportunity', 'opportunity_id') }}",
    "{{ set_apart('salesforce', 'opportunity', 'opportunity_id') }}",
]) }}

select
    id as opportunity_id,
    account_id,
    name,
    type,
    stage_name,
    amount,
    currency_iso_code,
    probability,
    close_date,
    is_closed,
    is_won,
    forecast_category,
    forecast_category_name,
    lead_source,
    owner_id,
    created_date,
    system_modstamp
from {{ source("salesforce", "opportunity") }}
where not is_deleted
{% endsnapshot %}
