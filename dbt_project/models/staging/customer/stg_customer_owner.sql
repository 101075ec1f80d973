with customer_owner as (

    select * from {{ source('raw', 'customer_owner') }}
    where deleted_at is null

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

localised as (

    select
        customer_owner.id as customer_owner_id,
        customer_owner.customer_id,
        customer_owner.project_id,
        customer_owner.employee_id,
        customer_owner.from_at,
        {{ local_date('customer_owner.from_at') }} as from_on,
        case when customer_owner.to_at <= refresh.as_of then customer_owner.to_at end as to_at,
        {{ local_date('case when customer_owner.to_at <= refresh.as_of then customer_owner.to_at end') }} as to_on
    from customer_owner
    inner join refresh on customer_owner.from_at <= refresh.as_of

)

select * from localised
