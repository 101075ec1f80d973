with source as (

    select * from {{ source('raw', 'plan_class') }}

),

typed as (

    select
        id as plan_class_id,
        name as plan_class_name
    from source
    where deleted_at is null

)

select * from typed
