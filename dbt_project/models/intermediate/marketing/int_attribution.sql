with chains as (

    select * from {{ ref('int_deal_chain') }}
    where is_live

),

paths as (

    select * from {{ ref('int_touchpoint_path') }}

),

removals as (

    select * from {{ ref('int_channel_removal') }}

),

attribution_models as (

    {{ attribution_model_rows() }}

),

touches as (

    select
        paths.*,
        removals.removal_effect,
        count(*) over (partition by paths.deal_chain_id, paths.source_id) as touches_of_channel,
        -- Not direct sorts before direct: a direct touch ranks first only where there is nothing else.
        row_number()
            over (partition by paths.deal_chain_id order by paths.is_direct asc, paths.touch_number desc)
            as last_non_direct_rank,
        power(2e0, -paths.days_before / 7) as decay
    from paths
    left join removals on coalesce(paths.source_id, 0) = removals.channel_id

),

weights as (

    select
        chains.deal_chain_id,
        attribution_models.attribution_model,
        touches.touchpoint_id,
        case when touches.touchpoint_id is null then -1 else touches.source_id end as source_id,
        touches.activity_id,
        cast(
            case
                when touches.touchpoint_id is null then 1
                when attribution_models.attribution_model = 'first'
                    then case when touches.touch_number = 1 then 1 else 0 end
                when attribution_models.attribution_model = 'last'
                    then case when touches.touch_number = touches.touch_count then 1 else 0 end
                when attribution_models.attribution_model = 'last_non_direct'
                    then case when touches.last_non_direct_rank = 1 then 1 else 0 end
                when attribution_models.attribution_model = 'time_decay'
                    then touches.decay
                -- A channel counts once on a path, however often it was met.
                when attribution_models.attribution_model = 'markov'
                    then touches.removal_effect / touches.touches_of_channel
                when attribution_models.attribution_model = 'shapley'
                    then 1e0 / touches.touches_of_channel
                when attribution_models.attribution_model = 'linear' or touches.touch_count <= 2
                    then 1e0 / touches.touch_count
                -- By position: the ends take 40 % each, those between share 20 %.
                when touches.touch_number in (1, touches.touch_count) then 0.4e0
                else 0.2e0 / (touches.touch_count - 2)
            end as double
        ) as weight
    from chains
    cross join attribution_models
    left join touches on chains.deal_chain_id = touches.deal_chain_id

),

credits as (

    select
        deal_chain_id,
        attribution_model,
        touchpoint_id,
        source_id,
        activity_id,
        -- Not all weights of a chain sum to 1 by themselves.
        weight / sum(weight) over (
            partition by deal_chain_id, attribution_model order by touchpoint_id
            rows between unbounded preceding and unbounded following
        ) as credit
    from weights
    where weight > 0

)

select * from credits
