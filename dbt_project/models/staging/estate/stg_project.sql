with project as (

    select * from {{ source('raw', 'project') }}
    where deleted_at is null

),

renamed as (

    select
        project.id as project_id,
        project.name as project_name,
        project.type as project_type,
        project.district,
        project.opened_on,
        project.gross_margin_rate
    from project

)

select * from renamed
