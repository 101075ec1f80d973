with expenses as (

    select * from {{ ref('fct_expense') }}

),

attribution_models as (

    {{ attribution_model_rows() }}

),

expenses_by_model as (

    select
        concat(expenses.expense_id, '-', attribution_models.attribution_model) as expense_by_model_id,
        attribution_models.attribution_model,
        expenses.*
    from expenses
    cross join attribution_models

)

select * from expenses_by_model
