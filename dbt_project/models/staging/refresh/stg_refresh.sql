with refresh as (

    select * from {{ source('raw', 'refresh') }}

),

localised as (

    select
        as_of,
        {{ local_date('as_of') }} as as_of_on
    from refresh

)

select * from localised
