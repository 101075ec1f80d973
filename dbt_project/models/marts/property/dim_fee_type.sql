with fee_types as (

    select * from {{ ref('stg_fee_type') }}

),

fee_type_dimension as (

    select
        fee_type_id,
        fee_type_name,
        unit,
        rate
    from fee_types

)

select * from fee_type_dimension
