{{- config(materialized='view') -}}
with lead as (

    select * from {{ ref('stg_lead') }}

),

lead_event as (

    select * from {{ ref('stg_lead_event') }}

),

deal as (

    select * from {{ ref('stg_deal') }}

),

deal_event as (

    select * from {{ ref('stg_deal_event') }}

),

payment as (

    select * from {{ ref('stg_payment') }}

),

demand as (

    select * from {{ ref('stg_demand') }}

),

demand_event as (

    select * from {{ ref('stg_demand_event') }}

),

follow_up as (

    select * from {{ ref('stg_follow_up') }}

),

expense as (

    select * from {{ ref('stg_expense') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

ordered_event as (

    select
        demand_id,
        employee_id,
        row_number() over (partition by demand_id order by occurred_at, demand_event_id) as place
    from demand_event

),

record as (

    select
        'lead' as crm_table,
        lead_id as record_id,
        project_id,
        employee_id,
        opened_on as happened_on,
        opened_at as happened_at,
        entered_at,
        cast(intended_area_sqm as decimal(18, 2)) as typed_number
    from lead
    union all
    select
        'lead_event' as crm_table,
        lead_event.lead_event_id as record_id,
        lead.project_id,
        lead_event.employee_id,
        lead_event.occurred_on as happened_on,
        lead_event.occurred_at as happened_at,
        lead_event.entered_at,
        cast(null as decimal(18, 2)) as typed_number
    from lead_event
    inner join lead on lead_event.lead_id = lead.lead_id
    union all
    select
        'deal_event' as crm_table,
        deal_event.deal_event_id as record_id,
        deal.project_id,
        deal_event.employee_id,
        deal_event.occurred_on as happened_on,
        deal_event.occurred_at as happened_at,
        deal_event.entered_at,
        cast(null as decimal(18, 2)) as typed_number
    from deal_event
    inner join deal on deal_event.deal_id = deal.deal_id
    union all
    select
        'payment' as crm_table,
        payment.payment_id as record_id,
        deal.project_id,
        cast(null as bigint) as employee_id,
        payment.received_on as happened_on,
        cast(null as timestamp) as happened_at,
        payment.entered_at,
        cast(null as decimal(18, 2)) as typed_number
    from payment
    inner join deal on payment.deal_id = deal.deal_id
    union all
    select
        'demand' as crm_table,
        demand.demand_id as record_id,
        demand.project_id,
        ordered_event.employee_id,
        demand.received_on as happened_on,
        demand.received_at as happened_at,
        demand.entered_at,
        cast(null as decimal(18, 2)) as typed_number
    from demand
    left join ordered_event on demand.demand_id = ordered_event.demand_id and ordered_event.place = 1
    union all
    select
        'demand_event' as crm_table,
        demand_event.demand_event_id as record_id,
        demand.project_id,
        demand_event.employee_id,
        demand_event.occurred_on as happened_on,
        demand_event.occurred_at as happened_at,
        demand_event.entered_at,
        cast(null as decimal(18, 2)) as typed_number
    from demand_event
    inner join demand on demand_event.demand_id = demand.demand_id
    union all
    select
        'follow_up' as crm_table,
        follow_up.follow_up_id as record_id,
        demand.project_id,
        follow_up.employee_id,
        follow_up.occurred_on as happened_on,
        follow_up.occurred_at as happened_at,
        follow_up.entered_at,
        cast(null as decimal(18, 2)) as typed_number
    from follow_up
    inner join demand on follow_up.demand_id = demand.demand_id
    union all
    select
        'expense' as crm_table,
        expense_id as record_id,
        project_id,
        employee_id,
        incurred_on as happened_on,
        cast(null as timestamp) as happened_at,
        entered_at,
        amount as typed_number
    from expense

),

entered as (

    select record.*
    from record
    inner join refresh on record.entered_at <= refresh.as_of

)

select * from entered
