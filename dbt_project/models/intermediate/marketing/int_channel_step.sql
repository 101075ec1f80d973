{{- config(meta={'increment': {'sum': ['steps']}}) -}}
with paths as (

    select * from {{ ref('int_channel_path') }}

),

touches as (

    select
        channel_path_id,
        channel_id,
        is_sold,
        touch_number,
        lead(channel_id) over (partition by channel_path_id order by touch_number) as next_channel_id
    from paths

),

steps as (

    select
        {{ channel_state('start') }} as from_channel_id,
        channel_id as to_channel_id
    from touches
    where touch_number = 1

    union all

    select
        channel_id as from_channel_id,
        coalesce(
            next_channel_id,
            case when is_sold then {{ channel_state('contract') }} else {{ channel_state('nothing') }} end
        ) as to_channel_id
    from touches

),

counted as (

    select
        from_channel_id,
        to_channel_id,
        count(*) as steps
    from steps
    group by from_channel_id, to_channel_id

)

select * from counted
