with customer as (

    select * from {{ source('raw', 'customer') }}
    where deleted_at is null

),

renamed as (

    select
        customer.id as customer_id,
        customer.kind as customer_kind,
        customer.gender,
        customer.birth_on,
        customer.education,
        customer.occupation,
        customer.income_band,
        customer.personality,
        customer.customer_class_id,
        customer.merged_into_id
    from customer

)

select * from renamed
