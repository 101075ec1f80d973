{#- By the removal of channels, each chain's credits follow from the paths of all customers. -#}
{{- config(
    meta={'increment': {
        'by': 'deal_chain_id',
        'of': 'deal',
        'shared': "attribution_model = 'markov'",
        'shared_reads': ['int_channel_removal'],
    }}
) -}}
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
        count(*) over (partition by paths.deal_chain_id, paths.source_id) as touches_of_channel,
        -- Not direct sorts before direct: a direct touch ranks first only where there is nothing else.
        row_number()
            over (partition by paths.deal_chain_id order by paths.is_direct asc, paths.touch_number desc)
            as last_non_direct_rank,
        power(2e0, -paths.days_before / 7) as decay,
        case when removals.removal_effect > 0 then removals.removal_effect end as removal_effect
    from paths
    left join removals on coalesce(paths.source_id, 0) = removals.channel_id

),

weighted as (

    -- A channel counts once on a path, however often it was met.
    select
        *,
        removal_effect / touches_of_channel as removal_weight,
        1e0 / touches_of_channel as channel_weight
    from touches

),

summed as (

    -- Of the models whose weights do not sum to 1 by themselves.
    select
        *,
        sum(decay) over (
            partition by deal_chain_id order by touch_number
            rows between unbounded preceding and unbounded following
        ) as sum_of_decay,
        sum(removal_weight) over (
            partition by deal_chain_id order by touch_number
            rows between unbounded preceding and unbounded following
        ) as sum_of_removal_weight,
        sum(channel_weight) over (
            partition by deal_chain_id order by touch_number
            rows between unbounded preceding and unbounded following
        ) as sum_of_channel_weight
    from weighted

),

credited as (

    select
        chains.deal_chain_id,
        attribution_models.attribution_model,
        summed.touchpoint_id,
        case when summed.touchpoint_id is null then -1 else summed.source_id end as source_id,
        summed.activity_id,
        cast(
            case
                when summed.touchpoint_id is null then 1
                when attribution_models.attribution_model = 'first'
                    then case when summed.touch_number = 1 then 1 end
                when attribution_models.attribution_model = 'last'
                    then case when summed.touch_number = summed.touch_count then 1 end
                when attribution_models.attribution_model = 'last_non_direct'
                    then case when summed.last_non_direct_rank = 1 then 1 end
                when attribution_models.attribution_model = 'time_decay'
                    then summed.decay / summed.sum_of_decay
                when attribution_models.attribution_model = 'markov'
                    then summed.removal_weight / summed.sum_of_removal_weight
                when attribution_models.attribution_model = 'shapley'
                    then summed.channel_weight / summed.sum_of_channel_weight
                when attribution_models.attribution_model = 'linear' or summed.touch_count <= 2
                    then 1e0 / summed.touch_count
                -- By position: the ends take 40 % each, those between share 20 %.
                when summed.touch_number in (1, summed.touch_count) then 0.4e0
                else 0.2e0 / (summed.touch_count - 2)
            end as double
        ) as credit
    from chains
    cross join attribution_models
    left join summed on chains.deal_chain_id = summed.deal_chain_id

)

select * from credited
where credit > 0
