{#- Whose birthday it was. -#}
{%- set moved -%}
    select id from raw.customer
    where date_sub('year', birth_on, {before_on}) <> date_sub('year', birth_on, {now_on})
{%- endset -%}
{{- config(meta={'increment': {'by': 'customer_id', 'moved': moved}}) -}}
with customer as (

    select * from {{ ref('stg_customer') }}

),

survivor as (

    select * from {{ ref('int_customer_survivor') }}

),

customer_class as (

    select * from {{ ref('stg_customer_class') }}

),

refresh as (

    select * from {{ ref('stg_refresh') }}

),

aged as (

    select
        customer.*,
        case
            when customer.birth_on <= refresh.as_of_on
                then {{ years_between('customer.birth_on', 'refresh.as_of_on') }}
        end as age
    from customer
    inner join survivor
        on customer.customer_id = survivor.customer_id and survivor.customer_id = survivor.survivor_id
    cross join refresh

),

banded as (

    select
        aged.customer_id,
        aged.customer_kind,
        aged.gender,
        case
            when aged.age < 25 then '0-24'
            when aged.age < 35 then '25-34'
            when aged.age < 45 then '35-44'
            when aged.age < 55 then '45-54'
            when aged.age < 65 then '55-64'
            when aged.age >= 65 then '65+'
        end as age_band,
        aged.income_band,
        aged.education,
        aged.occupation,
        aged.personality,
        aged.customer_class_id,
        customer_class.customer_class_name as customer_class
    from aged
    left join customer_class on aged.customer_class_id = customer_class.customer_class_id

)

select * from banded
