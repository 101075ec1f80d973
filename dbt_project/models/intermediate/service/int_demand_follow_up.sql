{{- config(meta={'increment': {'by': 'demand_id', 'of': 'demand'}}) -}}
with follow_ups as (

    select * from {{ ref('stg_follow_up') }}

),

resolves as (

    select * from {{ ref('stg_demand_event') }}
    where event_kind = 'resolve'

),

reached as (

    select
        demand_id,
        max(case when was_reached then 1 else 0 end) = 1 as was_followed_up
    from follow_ups
    group by demand_id

),

ranked_ratings as (

    select
        *,
        row_number() over (partition by demand_id order by occurred_at desc, follow_up_id desc) as recency
    from follow_ups
    where satisfaction is not null

),

ratings as (

    select * from ranked_ratings
    where recency = 1

),

ranked_resolves as (

    select
        ratings.demand_id,
        resolves.employee_id,
        row_number() over (
            partition by ratings.demand_id
            order by resolves.occurred_at desc, resolves.demand_event_id desc
        ) as recency
    from ratings
    inner join resolves
        on
            ratings.demand_id = resolves.demand_id
            and ratings.occurred_at >= resolves.occurred_at

),

followed_up as (

    select
        reached.demand_id,
        reached.was_followed_up,
        ratings.occurred_on as rated_on,
        ratings.satisfaction,
        ranked_resolves.employee_id as resolver_employee_id
    from reached
    left join ratings on reached.demand_id = ratings.demand_id
    left join ranked_resolves
        on
            reached.demand_id = ranked_resolves.demand_id
            and ranked_resolves.recency = 1

)

select * from followed_up
