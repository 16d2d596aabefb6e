{{ config(
    materialized="touched",
    unique_key=["kind", "subject"],
    pre_hook="{{ touch_segment_persons() }}",
) }}

{% set subjects -%}
(
    select distinct 'user' as kind, known_user_id as subject
    from {{ ref("segment_events") }} where known_user_id is not null
    union all
    select distinct 'device', device_id
    from {{ ref("segment_events") }} where known_user_id is null and device_id is not null
)
{%- endset %}

{{ persons_of_segment("touched_segment_persons" if is_incremental() else subjects) }}
