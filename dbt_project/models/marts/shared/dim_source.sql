with source as (

    select * from {{ ref('stg_source') }}

),

named as (

    select
        source.source_id,
        source.source_name,
        source.market_type,
        source.parent_id,
        parent.source_name as parent_name
    from source
    left join source as parent on source.parent_id = parent.source_id

),

with_unattributed as (

    select * from named
    union all
    select
        -1 as source_id,
        'unattributed' as source_name,
        'unattributed' as market_type,
        null as parent_id,
        null as parent_name

)

select * from with_unattributed
