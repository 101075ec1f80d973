with plans as (

    select * from {{ ref('stg_plan') }}
    where budget is not null

),

days as (

    select * from {{ ref('time_spine_day') }}

),

lasting as (

    select
        plan_id,
        project_id,
        budget,
        start_on,
        -- Nobody knows how long a plan without an end lasts: it has its budget from the first day on.
        coalesce(end_on, start_on) as end_on,
        {{ dbt.datediff('start_on', 'coalesce(end_on, start_on)', 'day') }} + 1 as day_count
    from plans

),

spread as (

    select
        lasting.*,
        days.date_day as budget_on,
        cast(floor(cast(lasting.budget as double) * 100 / lasting.day_count) / 100 as decimal(18, 2)) as daily_amount
    from lasting
    inner join days on days.date_day between lasting.start_on and lasting.end_on

),

plan_budget as (

    select
        plan_id,
        budget_on,
        project_id,
        -- The last day has what division leaves over, so that the days add up to the budget.
        cast(
            case when budget_on = end_on then budget - daily_amount * (day_count - 1) else daily_amount end
            as decimal(18, 2)
        ) as amount
    from spread

)

select * from plan_budget
