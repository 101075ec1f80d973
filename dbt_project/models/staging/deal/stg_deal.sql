with deal as (

    select * from {{ source('raw', 'deal') }}
    where deleted_at is null

),

renamed as (

    select
        deal.id as deal_id,
        deal.lead_id,
        deal.customer_id,
        deal.project_id,
        deal.unit_id,
        deal.swapped_from_id
    from deal

)

select * from renamed
