with source as (

    select * from {{ source('raw', 'plan') }}

),

typed as (

    select
        id as plan_id,
        plan_class_id,
        project_id,
        name as plan_name,
        start_on,
        end_on,
        budget
    from source
    where deleted_at is null

)

select * from typed
