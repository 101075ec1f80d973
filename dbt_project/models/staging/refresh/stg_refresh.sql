with refresh as (

    select * from {{ source('raw', 'refresh') }}

),

localised as (

    select
        as_of,
        {{ local_date('as_of') }} as as_of_on,
        {{ local_date(dbt.dateadd('second', -1, 'as_of')) }} as last_day_on
    from refresh

)

select * from localised
