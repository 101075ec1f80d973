with payment_due as (

    select * from {{ source('raw', 'payment_due') }}
    where deleted_at is null

),

renamed as (

    select
        payment_due.id as payment_due_id,
        payment_due.deal_id,
        payment_due.due_on,
        payment_due.amount
    from payment_due

)

select * from renamed
