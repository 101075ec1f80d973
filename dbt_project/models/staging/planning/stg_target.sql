with source as (

    select * from {{ source('raw', 'target') }}

),

typed as (

    select
        id as target_id,
        project_id,
        month_on,
        metric as target_metric,
        value as target_value
    from source
    where deleted_at is null

)

select * from typed
