with payment as (

    select * from {{ source('raw', 'payment') }}
    where deleted_at is null

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

counted as (

    select
        payment.id as payment_id,
        payment.deal_id,
        payment.received_on,
        payment.amount,
        payment.kind as payment_kind,
        payment.is_void,
        payment.created_at as entered_at
    from payment
    inner join refresh on payment.received_on <= refresh.as_of_on

)

select * from counted
