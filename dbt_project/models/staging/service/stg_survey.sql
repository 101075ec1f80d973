with source as (

    select * from {{ source('raw', 'survey') }}

),

typed as (

    select
        id as survey_id,
        name as survey_name,
        project_id,
        opens_on,
        closes_on
    from source
    where deleted_at is null

)

select * from typed
