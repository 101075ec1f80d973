with source as (

    select * from {{ source('raw', 'fee_payment') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

counted as (

    select
        source.id as fee_payment_id,
        source.fee_bill_id,
        source.received_on,
        source.amount,
        source.is_void
    from source
    cross join refresh
    where
        source.deleted_at is null
        and source.received_on <= refresh.as_of_on

)

select * from counted
