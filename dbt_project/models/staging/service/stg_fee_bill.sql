with source as (

    select * from {{ source('raw', 'fee_bill') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

typed as (

    select
        source.id as fee_bill_id,
        source.unit_id,
        source.customer_id,
        source.fee_type_id,
        source.period_on,
        source.amount,
        source.due_on,
        source.period_on <= refresh.as_of_on as is_billed,
        source.due_on <= refresh.as_of_on as is_due
    from source
    cross join refresh
    where source.deleted_at is null

)

select * from typed
