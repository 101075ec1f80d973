{{- config(meta={'increment': {'by': 'customer_id', 'anew_each': 'day'}}) -}}
with refresh as (

    select * from {{ ref('stg_refresh') }}

),

bills as (

    select * from {{ ref('stg_fee_bill') }}

),

payments as (

    select * from {{ ref('stg_fee_payment') }}
    where not is_void

),

units as (

    select * from {{ ref('stg_unit') }}

),

buildings as (

    select * from {{ ref('stg_building') }}

),

survivors as (

    select * from {{ ref('int_customer_survivor') }}

),

entries as (

    select
        concat('bill-', fee_bill_id) as fee_entry_id,
        'bill' as entry_kind,
        fee_bill_id,
        period_on as entry_on,
        amount,
        case when is_due then amount else 0 end as arrears_amount
    from bills
    where is_billed

    union all

    -- What is paid ahead of its due date is no credit for other bills.
    select
        concat('payment-', payments.fee_payment_id) as fee_entry_id,
        'payment' as entry_kind,
        payments.fee_bill_id,
        payments.received_on as entry_on,
        payments.amount,
        case when bills.is_billed and bills.is_due then -payments.amount else 0 end as arrears_amount
    from payments
    inner join bills on payments.fee_bill_id = bills.fee_bill_id

),

entry_facts as (

    select
        entries.fee_entry_id,
        entries.entry_kind,
        entries.fee_bill_id,
        entries.entry_on,
        refresh.as_of_on,
        survivors.survivor_id as customer_id,
        buildings.project_id,
        bills.unit_id,
        bills.fee_type_id,
        entries.amount,
        entries.arrears_amount
    from entries
    inner join bills on entries.fee_bill_id = bills.fee_bill_id
    inner join survivors on bills.customer_id = survivors.customer_id
    left join units on bills.unit_id = units.unit_id
    left join buildings on units.building_id = buildings.building_id
    cross join refresh

)

select * from entry_facts
