{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "customer_360"}},
    "description": "The orders of each account can be added up in the corporate currency; where they cannot, their sum is null.",
    "remedy": "Let the Salesforce user read CurrencyType, and the field CurrencyIsoCode.",
}) }}

select account_id, orders from {{ ref("customer_360") }} where order_amount is null
