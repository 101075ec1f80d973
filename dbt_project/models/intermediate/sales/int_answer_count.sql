{{- config(meta={'increment': {'sum': ['customer_count']}}) -}}
with recorded as (

    select * from {{ ref('fct_customer_feature') }}

),

counted as (

    select
        feature_id,
        feature_value,
        count(*) as customer_count
    from recorded
    group by feature_id, feature_value

)

select * from counted
