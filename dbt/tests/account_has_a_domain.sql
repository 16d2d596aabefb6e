{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "customer_360"}},
    "description": "Each account has a website, by whose domain its people are found.",
    "remedy": "Add the websites in Salesforce.",
}) }}

select account_id from {{ ref("customer_360") }} where domain is null
