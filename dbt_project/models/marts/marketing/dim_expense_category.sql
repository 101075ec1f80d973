with categories as (

    select * from {{ ref('stg_expense_category') }}

),

category_dimension as (

    select
        categories.expense_category_id,
        categories.expense_category_name,
        categories.parent_id,
        parents.expense_category_name as parent_name
    from categories
    left join categories as parents on categories.parent_id = parents.expense_category_id

)

select * from category_dimension
