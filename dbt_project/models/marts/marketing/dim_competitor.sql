with estates as (

    select * from {{ ref('stg_competitor_project') }}

),

companies as (

    select * from {{ ref('stg_competitor') }}

),

competitor_dimension as (

    select
        estates.competitor_project_id,
        estates.competitor_project_name,
        companies.competitor_name,
        companies.competitor_class,
        estates.level,
        estates.district,
        estates.own_project_id
    from estates
    left join companies on estates.competitor_id = companies.competitor_id

)

select * from competitor_dimension
