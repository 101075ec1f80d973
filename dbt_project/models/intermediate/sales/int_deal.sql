{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with deal as (

    select * from {{ ref('stg_deal') }}

),

deal_event as (

    select * from {{ ref('int_deal_event') }}

),

lead_member as (

    select * from {{ ref('int_lead_member') }}

),

survivor as (

    select * from {{ ref('int_customer_survivor') }}

),

root as (

    {{ tree_root('deal', 'deal_id', 'swapped_from_id') }}

),

life as (

    select
        deal_id,
        min(occurred_at) as first_event_at,
        min(case when event_kind = 'small_booking' then occurred_at end) as first_small_booking_at,
        min(case when event_kind = 'booking' then occurred_at end) as first_booking_at,
        min(case when event_kind = 'contract' then occurred_at end) as first_contract_at,
        max(case when event_kind = 'contract' then occurred_at end) as last_contract_at,
        max(case when event_kind = 'cancel' then occurred_at end) as last_cancel_at,
        max(case when event_kind = 'swap' then occurred_at end) as last_swap_at,
        max(case when posting_kind = 'contract_cancel' then 1 else 0 end) = 1 as is_ever_cancelled,
        max(event_sequence) as last_sequence
    from deal_event
    group by deal_id

),

final_event as (

    select deal_event.*
    from deal_event
    inner join life on deal_event.deal_id = life.deal_id and deal_event.event_sequence = life.last_sequence

),

contract_credit as (

    -- Whose deal it is: the employee of its latest contract event, else of its latest booking, else small booking.
    select
        deal_id,
        credit_employee_id,
        row_number() over (
            partition by deal_id
            order by
                case event_kind when 'contract' then 1 when 'booking' then 2 else 3 end,
                event_sequence desc
        ) as preference
    from deal_event
    where event_kind in ('contract', 'booking', 'small_booking')

),

successor as (

    -- A deal is given up at the latest when the deal that replaces it has its contract.
    select
        deal.swapped_from_id as deal_id,
        min(life.first_contract_at) as replaced_at
    from deal
    inner join life on deal.deal_id = life.deal_id
    where deal.swapped_from_id is not null and life.first_contract_at is not null
    group by deal.swapped_from_id

),

joined as (

    select
        deal.deal_id,
        root.root_id as deal_chain_id,
        first_value(lead_member.collapsed_lead_id) over (
            partition by root.root_id
            order by
                case when lead_member.collapsed_lead_id is null then 1 else 0 end,
                coalesce(life.first_event_at, timestamp '9999-12-31 00:00:00'),
                deal.deal_id
        ) as chain_lead_id,
        lead_member.collapsed_lead_id as own_lead_id,
        survivor.survivor_id as customer_id,
        deal.project_id,
        deal.unit_id,
        deal.swapped_from_id,
        life.first_event_at,
        life.first_small_booking_at,
        life.first_booking_at,
        life.first_contract_at,
        life.last_contract_at,
        life.last_cancel_at,
        coalesce(life.is_ever_cancelled, false) as is_ever_cancelled,
        coalesce(final_event.is_under_contract, false) as is_under_contract,
        coalesce(final_event.is_cancelled, false) as is_cancelled,
        case
            when final_event.is_given_up then life.last_swap_at
            when successor.replaced_at >= life.last_contract_at then successor.replaced_at
            when life.last_contract_at is null then successor.replaced_at
        end as swapped_at,
        cast(coalesce(final_event.amount_after, 0) as decimal(28, 2)) as amount_after,
        coalesce(final_event.area_after, 0) as area_after,
        contract_credit.credit_employee_id as employee_id
    from deal
    inner join root on deal.deal_id = root.node_id
    inner join survivor on deal.customer_id = survivor.customer_id
    left join lead_member on deal.lead_id = lead_member.lead_id
    left join life on deal.deal_id = life.deal_id
    left join final_event on deal.deal_id = final_event.deal_id
    left join successor on deal.deal_id = successor.deal_id
    left join contract_credit on deal.deal_id = contract_credit.deal_id and contract_credit.preference = 1

),

final as (

    select
        deal_id,
        deal_chain_id,
        coalesce(own_lead_id, chain_lead_id) as lead_id,
        customer_id,
        project_id,
        unit_id,
        swapped_from_id,
        first_event_at,
        first_small_booking_at,
        first_booking_at,
        first_contract_at as contract_at,
        last_contract_at,
        is_ever_cancelled,
        case when is_cancelled then last_cancel_at end as cancelled_at,
        swapped_at,
        is_under_contract and swapped_at is null as is_live,
        case when is_under_contract and swapped_at is null then amount_after else 0 end as present_amount,
        case when is_under_contract and swapped_at is null then area_after else 0 end as present_area,
        amount_after as contract_amount,
        employee_id
    from joined

)

select * from final
