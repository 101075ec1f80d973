{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with customer_owner as (

    select * from {{ ref('stg_customer_owner') }}

),

survivor as (

    select * from {{ ref('int_customer_survivor') }}

),

ownership as (

    select
        customer_owner.customer_owner_id,
        survivor.survivor_id as customer_id,
        customer_owner.project_id,
        customer_owner.employee_id,
        customer_owner.from_at,
        customer_owner.from_on,
        customer_owner.to_at,
        customer_owner.to_on
    from customer_owner
    inner join survivor on customer_owner.customer_id = survivor.customer_id

)

select * from ownership
