{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with customer as (

    select
        customer_id,
        merged_into_id
    from {{ ref('stg_customer') }}

),

merged as (

    {{ tree_root('customer', 'customer_id', 'merged_into_id') }}

),

survivor as (

    select
        node_id as customer_id,
        root_id as survivor_id
    from merged

)

select * from survivor
