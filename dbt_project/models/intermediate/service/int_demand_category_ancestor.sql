with recursive categories as (

    select * from {{ ref('stg_demand_category') }}

),

climbs as (

    select
        demand_category_id,
        demand_category_id as ancestor_id,
        parent_id as next_id,
        0 as distance,
        cast(concat('/', demand_category_id, '/') as {{ dbt.type_string() }}) as visited
    from categories

    union all

    select
        climbs.demand_category_id,
        categories.demand_category_id as ancestor_id,
        categories.parent_id as next_id,
        climbs.distance + 1 as distance,
        cast(concat(climbs.visited, categories.demand_category_id, '/') as {{ dbt.type_string() }}) as visited
    from climbs
    inner join categories on climbs.next_id = categories.demand_category_id
    -- A circle of parents ends where it meets itself.
    where climbs.visited not like concat('%/', categories.demand_category_id, '/%')

),

ancestors as (

    select
        climbs.demand_category_id,
        climbs.ancestor_id,
        categories.demand_category_name as ancestor_name,
        climbs.distance
    from climbs
    inner join categories on climbs.ancestor_id = categories.demand_category_id

)

select * from ancestors
