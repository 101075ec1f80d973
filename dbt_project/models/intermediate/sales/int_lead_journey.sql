{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with lead as (

    select * from {{ ref('stg_lead') }}

),

lead_member as (

    select * from {{ ref('int_lead_member') }}

),

survivor as (

    select * from {{ ref('int_customer_survivor') }}

),

lead_event as (

    select
        lead_event.*,
        lead_member.collapsed_lead_id
    from {{ ref('stg_lead_event') }} as lead_event
    inner join lead_member on lead_event.lead_id = lead_member.lead_id

),

deal as (

    select * from {{ ref('int_deal') }}
    where lead_id is not null

),

deal_event as (

    select * from {{ ref('int_deal_event') }}

),

employee_department as (

    select * from {{ ref('int_employee_department') }}

),

visit as (

    select
        collapsed_lead_id,
        min(occurred_at) as first_visit_at,
        min(occurred_on) as first_visit_on
    from lead_event
    where event_kind = 'visit' and is_effective
    group by collapsed_lead_id

),

sale as (

    select
        lead_id,
        min(first_small_booking_at) as first_small_booking_at,
        min(first_booking_at) as first_booking_at,
        min(contract_at) as first_contract_at,
        max(case when is_live then 1 else 0 end) = 1 as is_converted
    from deal
    group by lead_id

),

turn as (

    -- At the same moment a lead event counts as the later one: a cancelled customer is reopened, not the reverse.
    select
        collapsed_lead_id as lead_id,
        event_kind,
        occurred_at,
        reason_id,
        1 as precedence,
        lead_event_id as event_id
    from lead_event
    where event_kind in ('lost', 'reopened')
    union all
    select
        deal.lead_id,
        deal_event.event_kind,
        deal_event.occurred_at,
        deal_event.reason_id,
        0 as precedence,
        deal_event.deal_event_id as event_id
    from deal_event
    inner join deal on deal_event.deal_id = deal.deal_id
    where deal_event.event_kind = 'cancel'

),

last_turn as (

    select
        *,
        row_number() over (
            partition by lead_id order by occurred_at desc, precedence desc, event_id desc
        ) as recency
    from turn

),

journey as (

    select
        lead.lead_id,
        survivor.survivor_id as customer_id,
        lead.project_id,
        lead.source_id,
        lead.activity_id,
        lead.employee_id,
        employee_department.department_id,
        lead.intent_level,
        lead.opened_at,
        lead.opened_on,
        visit.first_visit_at,
        visit.first_visit_on,
        sale.first_small_booking_at,
        sale.first_booking_at,
        sale.first_contract_at,
        sale.first_contract_at is not null as has_contract,
        coalesce(sale.is_converted, false) as is_converted,
        not coalesce(sale.is_converted, false) and coalesce(last_turn.event_kind in ('lost', 'cancel'), false)
            as is_lost,
        last_turn.occurred_at as last_turn_at,
        last_turn.reason_id as last_turn_reason_id
    from lead
    inner join lead_member on lead.lead_id = lead_member.lead_id and lead.lead_id = lead_member.collapsed_lead_id
    inner join survivor on lead.customer_id = survivor.customer_id
    left join visit on lead.lead_id = visit.collapsed_lead_id
    left join sale on lead.lead_id = sale.lead_id
    left join last_turn on lead.lead_id = last_turn.lead_id and last_turn.recency = 1
    left join employee_department
        on
            lead.employee_id = employee_department.employee_id
            and lead.opened_on >= employee_department.from_on
            and (employee_department.to_on is null or lead.opened_on <= employee_department.to_on)

),

final as (

    select
        lead_id,
        customer_id,
        project_id,
        source_id,
        activity_id,
        employee_id,
        department_id,
        intent_level,
        opened_at,
        opened_on,
        first_visit_at,
        first_visit_on,
        first_small_booking_at,
        first_booking_at,
        first_contract_at,
        has_contract,
        is_converted,
        is_lost,
        case when is_lost then last_turn_at end as lost_at,
        case when is_lost then last_turn_reason_id end as lost_reason_id,
        not is_converted and not is_lost as is_open
    from journey

)

select * from final
