{{ config(severity="warn", meta={
    "dagster": {"ref": {"name": "opportunity_enhanced"}},
    "description": "No opportunity closed before the day on which it was made: one of the two is mistyped.",
    "remedy": "Correct one of the two dates in Salesforce.",
}) }}

select opportunity_id, created_at, close_date
from {{ ref("opportunity_enhanced") }}
where is_closed and days_to_close < 0
