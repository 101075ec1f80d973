with deal_share as (

    select * from {{ source('raw', 'deal_share') }}
    where deleted_at is null

),

renamed as (

    select
        deal_share.id as deal_share_id,
        deal_share.deal_id,
        deal_share.employee_id,
        deal_share.share
    from deal_share

)

select * from renamed
