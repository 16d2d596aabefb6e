{{ config(meta={
    "description": "In its own week the whole cohort is there, later never more than the cohort.",
}) }}

select cohort_week, week
from {{ ref("weekly_retention") }}
where users > cohort_size or (week_number = 0 and users <> cohort_size)
