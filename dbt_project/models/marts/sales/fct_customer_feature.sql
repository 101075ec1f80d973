{{- config(meta={'increment': {'by': 'customer_id'}}) -}}
with feature_value as (

    select * from {{ ref('stg_feature_value') }}

),

feature as (

    select * from {{ ref('stg_feature') }}
    where entity_kind = 'customer'

),

survivor as (

    select * from {{ ref('int_customer_survivor') }}

),

customer_feature as (

    -- A value that was recorded for both of two merged customers counts once.
    select distinct
        survivor.survivor_id as customer_id,
        feature.feature_id,
        feature.feature_name,
        feature.value_type,
        feature.is_multi,
        feature_value.feature_value
    from feature_value
    inner join feature on feature_value.feature_id = feature.feature_id
    inner join survivor on feature_value.entity_id = survivor.customer_id
    where feature_value.feature_value is not null

)

select * from customer_feature
