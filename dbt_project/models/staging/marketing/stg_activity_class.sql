with source as (

    select * from {{ source('raw', 'activity_class') }}

),

typed as (

    select
        id as activity_class_id,
        name as activity_class_name
    from source
    where deleted_at is null

)

select * from typed
