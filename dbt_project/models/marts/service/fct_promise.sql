{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with promises as (

    select * from {{ ref('stg_promise') }}

),

survivors as (

    select * from {{ ref('int_customer_survivor') }}

),

deals as (

    select * from {{ ref('stg_deal') }}

),

units as (

    select * from {{ ref('stg_unit') }}

),

buildings as (

    select * from {{ ref('stg_building') }}

),

demands as (

    select * from {{ ref('stg_demand') }}

),

masters as (

    select * from {{ ref('fct_demand') }}

),

departments as (

    select * from {{ ref('int_employee_department') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

placed as (

    select
        promises.promise_id,
        survivors.survivor_id as customer_id,
        promises.deal_id,
        promises.unit_id,
        coalesce(deals.project_id, buildings.project_id) as project_id,
        promises.employee_id,
        promises.made_at,
        promises.made_on,
        promises.due_on,
        case
            when promises.is_kept then 'kept'
            when not promises.is_kept then 'broken'
            when promises.due_on < refresh.as_of_on then 'overdue'
            else 'open'
        end as state,
        promises.demand_id
    from promises
    inner join survivors on promises.customer_id = survivors.customer_id
    left join deals on promises.deal_id = deals.deal_id
    left join units on promises.unit_id = units.unit_id
    left join buildings on units.building_id = buildings.building_id
    cross join refresh

),

linked as (

    -- A customer may have said it again: what counts is then the demand that was repeated.
    select
        placed.promise_id,
        demands.received_at,
        demands.received_on
    from placed
    inner join demands on placed.demand_id = demands.demand_id and placed.made_at <= demands.received_at
    inner join masters on coalesce(demands.duplicate_of_id, demands.demand_id) = masters.demand_id
    where masters.is_valid_complaint

),

likely as (

    select
        placed.promise_id,
        min(masters.demand_id) as demand_id
    from placed
    inner join masters
        on
            placed.customer_id = masters.customer_id
            and placed.project_id = masters.project_id
            and placed.employee_id = masters.responsible_employee_id
            and placed.made_at <= masters.received_at
    where
        placed.demand_id is null
        and masters.is_valid_complaint
    group by placed.promise_id

),

promise_facts as (

    select
        placed.promise_id,
        placed.customer_id,
        placed.deal_id,
        placed.unit_id,
        placed.project_id,
        placed.employee_id,
        departments_then.department_id,
        placed.made_at,
        placed.made_on,
        placed.due_on,
        placed.state,
        placed.demand_id,
        linked.promise_id is not null as has_complaint,
        linked.received_on as complained_on,
        {{ dbt.datediff('placed.made_at', 'linked.received_at', 'microsecond') }} / 86400e6 as days_to_complaint,
        likely.demand_id as likely_demand_id
    from placed
    left join linked on placed.promise_id = linked.promise_id
    left join likely on placed.promise_id = likely.promise_id
    {{ join_department_at('departments', 'departments_then', 'placed.employee_id', 'placed.made_on') }}

)

select * from promise_facts
