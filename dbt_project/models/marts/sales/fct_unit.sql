with unit as (

    select * from {{ ref('stg_unit') }}

),

building as (

    select * from {{ ref('stg_building') }}

),

unit_price as (

    select * from {{ ref('stg_unit_price') }}

),

deal as (

    select * from {{ ref('int_deal') }}
    where is_live and unit_id is not null

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

list_price as (

    select
        unit_price.unit_id,
        unit_price.list_price,
        row_number() over (
            partition by unit_price.unit_id order by unit_price.valid_from_on desc, unit_price.unit_price_id desc
        ) as recency
    from unit_price
    inner join refresh on unit_price.valid_from_on <= refresh.as_of_on

),

sale as (

    -- Two live deals on one unit are an error of entry: the later contract stands.
    select
        unit_id,
        deal_id,
        present_amount,
        row_number() over (partition by unit_id order by last_contract_at desc, deal_id desc) as recency
    from deal

),

priced as (

    select
        unit.unit_id,
        unit.building_id,
        building.project_id,
        refresh.as_of_on,
        unit.layout,
        building.handover_on,
        coalesce(unit.area_sqm, 0) as area_sqm,
        sale.deal_id,
        coalesce(building.presale_permit_on <= refresh.as_of_on, false) as is_permitted,
        sale.deal_id is not null as is_sold,
        case
            when sale.deal_id is not null then sale.present_amount
            else coalesce(list_price.list_price, unit.list_price, 0)
        end as unit_value
    from unit
    inner join building on unit.building_id = building.building_id
    cross join refresh
    left join list_price on unit.unit_id = list_price.unit_id and list_price.recency = 1
    left join sale on unit.unit_id = sale.unit_id and sale.recency = 1

),

unit_fact as (

    select
        unit_id,
        building_id,
        project_id,
        as_of_on,
        layout,
        handover_on,
        deal_id,
        is_permitted,
        is_sold,
        case when is_sold then area_sqm else 0 end as sold_area,
        case when is_permitted then area_sqm else 0 end as permitted_area,
        cast(case when is_sold then unit_value else 0 end as decimal(28, 2)) as sold_value,
        cast(case when is_permitted then unit_value else 0 end as decimal(28, 2)) as permitted_value
    from priced

)

select * from unit_fact
