with unit as (

    select * from {{ ref('stg_unit') }}

),

building as (

    select * from {{ ref('stg_building') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

sale as (

    select
        unit_id,
        deal_id,
        {{ local_date('contract_at') }} as contract_on,
        {{ local_date('coalesce(cancelled_at, swapped_at)') }} as given_back_on,
        row_number() over (partition by unit_id order by contract_at, deal_id) as sale_number
    from {{ ref('int_deal') }}
    where unit_id is not null and contract_at is not null

),

permitted as (

    select
        unit.unit_id,
        unit.building_id,
        building.project_id,
        unit.layout,
        unit.area_sqm,
        coalesce(unit.unit_status = 'withheld', false) as is_withheld,
        building.presale_permit_on
    from unit
    inner join building on unit.building_id = building.building_id
    cross join refresh
    where building.presale_permit_on <= refresh.as_of_on

),

-- A unit is on offer from its permit to its first contract, and again from the end of each deal to the next contract.
beginning as (

    select
        unit_id,
        0 as sale_number,
        presale_permit_on as offered_from_on
    from permitted

    union all

    select
        sale.unit_id,
        sale.sale_number,
        case
            when sale.given_back_on < permitted.presale_permit_on then permitted.presale_permit_on
            else sale.given_back_on
        end as offered_from_on
    from sale
    inner join permitted on sale.unit_id = permitted.unit_id
    where sale.given_back_on is not null

),

unit_offer as (

    select
        concat(beginning.unit_id, '-', beginning.sale_number) as unit_offer_id,
        permitted.unit_id,
        permitted.building_id,
        permitted.project_id,
        permitted.layout,
        permitted.area_sqm,
        permitted.is_withheld,
        permitted.presale_permit_on,
        beginning.offered_from_on,
        case
            when sale.contract_on < beginning.offered_from_on then beginning.offered_from_on else sale.contract_on
        end as sold_on,
        sale.deal_id
    from beginning
    inner join permitted on beginning.unit_id = permitted.unit_id
    left join sale
        on beginning.unit_id = sale.unit_id and beginning.sale_number + 1 = sale.sale_number

)

select * from unit_offer
