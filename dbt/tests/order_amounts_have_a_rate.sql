{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "customer_360"}},
    "description": "The orders of each account can be added up in the corporate currency. Where it warns, their sum is null: let the user read CurrencyType, and the field CurrencyIsoCode.",
}) }}

select account_id, orders from {{ ref("customer_360") }} where order_amount is null
