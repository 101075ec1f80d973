{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with paths as (

    select * from {{ ref('int_channel_path') }}

),

channel_paths as (

    select
        channel_path_id,
        customer_id,
        project_id,
        is_sold,
        touch_number,
        nullif(channel_id, 0) as source_id,
        mod(customer_id, 100) as resampling_group
    from paths

)

select * from channel_paths
