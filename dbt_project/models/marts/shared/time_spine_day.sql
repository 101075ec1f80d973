with day as (

    {{ days_from_to('1970-01-01', '2099-12-31') }}

)

select * from day
