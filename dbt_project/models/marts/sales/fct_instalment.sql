{{- config(meta={'increment': {'by': 'deal_id', 'of': 'deal'}}) -}}
with payment_due as (

    select * from {{ ref('stg_payment_due') }}

),

deal as (

    select * from {{ ref('int_deal') }}
    where contract_at is not null

),

instalment as (

    select
        payment_due.payment_due_id,
        deal.deal_id,
        deal.deal_chain_id,
        deal.project_id,
        {{ local_date('deal.contract_at') }} as contract_on,
        {{ local_date('coalesce(deal.cancelled_at, deal.swapped_at)') }} as ended_on,
        payment_due.due_on,
        payment_due.amount as due_amount
    from payment_due
    inner join deal on payment_due.deal_id = deal.deal_id

)

select * from instalment
