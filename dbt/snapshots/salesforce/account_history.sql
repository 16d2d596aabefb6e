{% snapshot account_history %}
{{ config(unique_key="account_id", post_hook=[
    "{{ end_deleted('salesforce', 'account', 'account_id') }}",
    "{{ set_apart('salesforce', 'account', 'account_id') }}",
]) }}

select
    id as account_id,
    name,
    type,
    industry,
    number_of_employees,
    annual_revenue,
    currency_iso_code,
    website,
    billing_city,
    billing_state,
    billing_country,
    owner_id,
    parent_id,
    account_source,
    created_date,
    system_modstamp
from {{ source("salesforce", "account") }}
where not is_deleted
{% endsnapshot %}
