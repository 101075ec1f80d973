with channel_step as (

    select * from {{ ref('int_channel_step') }}

),

transitions as (

    select
        from_channel_id,
        to_channel_id,
        steps,
        cast(steps as double) / sum(steps) over (partition by from_channel_id) as probability
    from channel_step

)

select * from transitions
