with project as (

    select * from {{ ref('stg_project') }}

),

described as (

    select
        project_id,
        project_name,
        project_type,
        district,
        opened_on,
        gross_margin_rate
    from project

)

select * from described
