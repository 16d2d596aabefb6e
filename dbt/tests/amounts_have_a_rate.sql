{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "opportunity_enhanced"}},
    "description": "Each amount can be told in the corporate currency. Where it warns, sums of amounts are null: let the user read CurrencyType, and the field CurrencyIsoCode.",
}) }}

select opportunity_id, currency_iso_code, amount
from {{ ref("opportunity_enhanced") }}
where amount is not null and corporate_amount is null
