{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "opportunity_enhanced"}},
    "description": "Each amount can be told in the corporate currency; where one cannot, sums of amounts are null.",
    "remedy": "Let the Salesforce user read CurrencyType, and the field CurrencyIsoCode.",
}) }}

select opportunity_id, currency_iso_code, amount
from {{ ref("opportunity_enhanced") }}
where amount is not null and corporate_amount is null
