{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with chain as (

    select * from {{ ref('int_deal_chain') }}
    where first_contract_at is not null

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

reason as (

    select * from {{ ref('stg_reason') }}

),

departments as (

    select * from {{ ref('int_employee_department') }}

),

credited as (

    select
        chain.deal_chain_id,
        chain.lead_id,
        chain.customer_id,
        chain.project_id,
        chain.unit_id,
        chain.first_contract_at,
        chain.first_contract_on,
        chain.is_live,
        chain.is_ever_cancelled,
        chain.cancel_reason_id,
        chain.present_amount,
        chain.present_area,
        coalesce(deal_share.employee_id, chain.employee_id) as employee_id,
        coalesce(deal_share.weight, cast(1 as decimal(7, 6))) as weight
    from chain
    left join deal_share on chain.first_contract_deal_id = deal_share.deal_id

),

chain_fact as (

    select
        concat(credited.deal_chain_id, '-', coalesce(credited.employee_id, 0)) as deal_chain_credit_id,
        credited.deal_chain_id,
        credited.lead_id,
        credited.customer_id,
        credited.project_id,
        credited.unit_id,
        journey.source_id,
        journey.activity_id,
        activity.plan_id,
        credited.employee_id,
        credit_department.department_id,
        credited.cancel_reason_id as reason_id,
        reason.competitor_project_id,
        credited.first_contract_at,
        credited.first_contract_on,
        credited.is_live,
        credited.is_ever_cancelled,
        credited.weight as contracts_signed,
        case when credited.is_ever_cancelled then credited.weight else 0 end as contracts_ever_cancelled,
        case when credited.is_live then credited.weight else 0 end as contracts_live,
        {{ share_of('credited.present_amount', 'credited.weight') }} as contract_amount_restated,
        {{ share_of('credited.present_area', 'credited.weight') }} as contract_area_restated
    from credited
    left join journey on credited.lead_id = journey.lead_id
    left join activity on journey.activity_id = activity.activity_id
    left join reason on credited.cancel_reason_id = reason.reason_id
    {{ join_department_at('departments', 'credit_department', 'credited.employee_id', 'credited.first_contract_on') }}

)

select * from chain_fact
