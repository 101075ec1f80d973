with targets as (

    select * from {{ ref('stg_target') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

begun as (

    -- A month to come has no result yet, so its target would make it look missed.
    select
        targets.target_id,
        targets.project_id,
        targets.month_on,
        targets.target_metric,
        targets.target_value
    from targets
    inner join refresh on targets.month_on <= refresh.last_day_on

)

select * from begun
