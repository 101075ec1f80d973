with categories as (

    select * from {{ ref('stg_demand_category') }}

),

ancestors as (

    select * from {{ ref('int_demand_category_ancestor') }}

),

paths as (

    select
        demand_category_id,
        max(distance) as depth,
        {{ path_of_names('ancestor_name', 'distance') }} as path
    from ancestors
    group by demand_category_id

),

category_dimension as (

    select
        categories.demand_category_id,
        categories.demand_category_name,
        categories.category_kind,
        categories.parent_id,
        paths.depth,
        paths.path
    from categories
    inner join paths on categories.demand_category_id = paths.demand_category_id

)

select * from category_dimension
