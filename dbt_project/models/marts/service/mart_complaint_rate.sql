with demands as (

    select * from {{ ref('fct_demand') }}

),

demands_in_categories as (

    select * from {{ ref('fct_demand_category') }}

),

customer_months as (

    select * from {{ ref('fct_customer_month') }}

),

projects as (

    select * from {{ ref('dim_project') }}

),

categories as (

    select * from {{ ref('dim_demand_category') }}

),

counted as (

    select
        cast({{ dbt.date_trunc('month', 'received_on') }} as date) as month_on,
        project_id,
        cast(null as bigint) as demand_category_id,
        category_kind,
        is_valid_complaint
    from demands

    union all

    select
        cast({{ dbt.date_trunc('month', 'received_on') }} as date) as month_on,
        project_id,
        counted_category_id as demand_category_id,
        category_kind,
        is_valid_complaint
    from demands_in_categories

),

customers as (

    select
        month_on,
        project_id,
        count(*) as customer_months
    from customer_months
    group by month_on, project_id

),

counts as (

    select
        month_on,
        project_id,
        demand_category_id,
        count(*) as demands,
        sum(case when category_kind = 'complaint' then 1 else 0 end) as complaints,
        sum(case when is_valid_complaint then 1 else 0 end) as valid_complaints
    from counted
    group by month_on, project_id, demand_category_id

    union all

    -- Months in which customers were active and none of them asked for anything.
    select
        customers.month_on,
        customers.project_id,
        cast(null as bigint) as demand_category_id,
        0 as demands,
        0 as complaints,
        0 as valid_complaints
    from customers
    left join demands
        on
            customers.project_id = demands.project_id
            and customers.month_on = cast({{ dbt.date_trunc('month', 'demands.received_on') }} as date)
    where demands.demand_id is null

),

complaint_rates as (

    select
        counts.month_on,
        counts.project_id,
        projects.project_name as project,
        projects.district,
        counts.demand_category_id,
        categories.demand_category_name as demand_category,
        counts.demand_category_id is null as is_total,
        cast(counts.demands as bigint) as demands,
        cast(counts.complaints as bigint) as complaints,
        cast(counts.valid_complaints as bigint) as valid_complaints,
        cast(coalesce(customers.customer_months, 0) as bigint) as customer_months,
        cast(counts.valid_complaints * 100e0 / nullif(customers.customer_months, 0) as double) as complaint_rate
    from counts
    inner join projects on counts.project_id = projects.project_id
    left join categories on counts.demand_category_id = categories.demand_category_id
    left join customers
        on
            counts.month_on = customers.month_on
            and counts.project_id = customers.project_id

)

select * from complaint_rates
