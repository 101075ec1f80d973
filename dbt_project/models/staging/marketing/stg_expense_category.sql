with source as (

    select * from {{ source('raw', 'expense_category') }}

),

typed as (

    select
        id as expense_category_id,
        parent_id,
        name as expense_category_name
    from source
    where deleted_at is null

)

select * from typed
