with feature as (

    select * from {{ source('raw', 'feature') }}
    where deleted_at is null

),

renamed as (

    select
        feature.id as feature_id,
        feature.entity as entity_kind,
        feature.name as feature_name,
        feature.data_type as value_type,
        feature.is_multi,
        feature.class_id
    from feature

)

select * from renamed
