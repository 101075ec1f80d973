with feature_value as (

    select * from {{ source('raw', 'feature_value') }}
    where deleted_at is null

),

renamed as (

    select
        feature_value.id as feature_value_id,
        feature_value.feature_id,
        feature_value.entity_id,
        feature_value.value as feature_value
    from feature_value

)

select * from renamed
