{{- config(meta={'increment': {'by': 'customer_id', 'with': 'fct_demand'}}) -}}
with demands as (

    select * from {{ ref('fct_demand') }}

),

ancestors as (

    select * from {{ ref('int_demand_category_ancestor') }}

),

named as (

    -- Of two categories of one name above each other the nearer stands for both, so that a name counts a demand once.
    select
        *,
        row_number() over (partition by demand_category_id, ancestor_name order by distance) as nearness
    from ancestors

),

categorised as (

    select
        concat(demands.demand_id, '-', named.ancestor_id) as demand_in_category_id,
        named.ancestor_id as counted_category_id,
        named.distance,
        demands.*
    from demands
    inner join named on demands.demand_category_id = named.demand_category_id
    where named.nearness = 1

)

select * from categorised
