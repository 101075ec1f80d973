{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with payment as (

    select * from {{ ref('stg_payment') }}
    where not is_void

),

deal as (

    select * from {{ ref('int_deal') }}

),

chain as (

    select * from {{ ref('int_deal_chain') }}

),

deal_share as (

    select * from {{ ref('int_deal_share') }}

),

journey as (

    select * from {{ ref('int_lead_journey') }}

),

activity as (

    select * from {{ ref('stg_activity') }}

),

departments as (

    select * from {{ ref('int_employee_department') }}

),

credited as (

    select
        payment.payment_id,
        deal.deal_id,
        deal.deal_chain_id,
        deal.lead_id,
        deal.customer_id,
        deal.project_id,
        coalesce(deal_share.employee_id, deal.employee_id) as employee_id,
        coalesce(deal_share.weight, cast(1 as decimal(7, 6))) as weight,
        payment.payment_kind,
        payment.received_on,
        payment.amount,
        coalesce(chain.is_live, false) as is_live_chain
    from payment
    inner join deal on payment.deal_id = deal.deal_id
    left join chain on deal.deal_chain_id = chain.deal_chain_id
    left join deal_share on payment.deal_id = deal_share.deal_id

),

weighted as (

    select
        *,
        {{ share_of('amount', 'weight') }} as collected_amount
    from credited

),

payment_fact as (

    select
        concat(weighted.payment_id, '-', coalesce(weighted.employee_id, 0)) as payment_credit_id,
        weighted.payment_id,
        weighted.deal_id,
        weighted.deal_chain_id,
        weighted.lead_id,
        weighted.customer_id,
        weighted.project_id,
        journey.source_id,
        journey.activity_id,
        activity.plan_id,
        weighted.employee_id,
        credit_department.department_id,
        weighted.payment_kind,
        weighted.received_on,
        weighted.is_live_chain,
        weighted.weight,
        weighted.collected_amount,
        case when weighted.is_live_chain then weighted.collected_amount else 0 end as collected_amount_live
    from weighted
    left join journey on weighted.lead_id = journey.lead_id
    left join activity on journey.activity_id = activity.activity_id
    {{ join_department_at('departments', 'credit_department', 'weighted.employee_id', 'weighted.received_on') }}

)

select * from payment_fact
