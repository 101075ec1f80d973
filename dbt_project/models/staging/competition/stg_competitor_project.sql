with source as (

    select * from {{ source('raw', 'competitor_project') }}

),

typed as (

    select
        id as competitor_project_id,
        competitor_id,
        name as competitor_project_name,
        district,
        level,
        own_project_id
    from source
    where deleted_at is null

)

select * from typed
