with customer_class as (

    select * from {{ source('raw', 'customer_class') }}
    where deleted_at is null

),

renamed as (

    select
        customer_class.id as customer_class_id,
        customer_class.parent_id,
        customer_class.name as customer_class_name
    from customer_class

)

select * from renamed
